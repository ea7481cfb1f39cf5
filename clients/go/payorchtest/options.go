package payorchtest

import (
	"time"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// FailOption says more of how calls fail.
type FailOption func(*plan)

// Times says how many calls fail; one unless given.
func Times(times int) FailOption { return func(p *plan) { p.left = times } }

// OnRPC has only calls of an RPC fail, such as CreateSession.
func OnRPC(rpc string) FailOption { return func(p *plan) { p.rpc = rpc } }

// Violation adds a broken rule.
func Violation(field, description string) FailOption {
	return func(p *plan) { p.failure.violations = append(p.failure.violations, violation{field, description}) }
}

// Metadata sets a value of the ErrorInfo; the others that the reason has are examples.
func Metadata(key, value string) FailOption {
	return func(p *plan) {
		if p.failure.metadata == nil {
			p.failure.metadata = map[string]string{}
		}
		p.failure.metadata[key] = value
	}
}

// RetryAfter says what RetryInfo says; unless given, what the service says for the reason, if anything.
func RetryAfter(delay time.Duration) FailOption {
	return func(p *plan) { p.failure.retryAfter = &delay }
}

// ZuoraCodes sets Zuora's codes.
func ZuoraCodes(codes ...string) FailOption { return func(p *plan) { p.failure.codes = codes } }

// Existing says what exists although the call failed.
func Existing(ids *payorchv1.ExistingIds) FailOption {
	return func(p *plan) { p.failure.existing = ids }
}

// Executed has the request be executed all the same, so that only the answer is lost and a resend finds it done. It is
// for reasons whose outcome is unknown.
func Executed() FailOption { return func(p *plan) { p.failure.executed = true } }
