package payorch

import (
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// domain is that of the service's own ErrorInfo.
const domain = "payorch"

// FieldViolation is one broken rule of a request.
type FieldViolation struct {
	// Field is the path of the field.
	Field string
	// Rule is the stable name of the rule.
	Rule string
	// Description says what must hold.
	Description string
}

// CallError is how one attempt failed, decoded.
type CallError struct {
	// Code is the status code.
	Code codes.Code
	// Message is for people.
	Message string
	// Reason is the name of the ErrorReason without its prefix; empty if the service did not make the error.
	Reason string
	// Outcome says what happened at Zuora. It is never unspecified.
	Outcome payorchv1.Outcome
	// Advice says what to do next. It is never unspecified.
	Advice payorchv1.Advice
	// TrackID is the Zuora-Track-Id of the call; empty if the service did not make the error.
	TrackID string
	// Violations are the broken rules, if the request breaks any.
	Violations []FieldViolation
	// Metadata is that of the ErrorInfo.
	Metadata map[string]string
	// RetryDelay is how long to wait before the next send; 0 if the service does not say.
	RetryDelay time.Duration
	// ZuoraCodes are Zuora's codes as it sent them.
	ZuoraCodes []string
	// ResendBeforeTime is until when the same request is safe to be sent again; zero where the advice is not to.
	ResendBeforeTime time.Time
	// CallOutcome is everything else: Zuora's ids, attempts, what exists. Nil if the error has none.
	CallOutcome *payorchv1.CallOutcome
	// Hint is what may be wrong with the connection, where there was none; empty otherwise.
	Hint string
}

// ErrorFrom reads the error of a call: of a client, or of a generated stub, wrapped or not.
//
// An error that carries no CallOutcome, such as one made by a proxy, means: outcome UNKNOWN, advice resend with the
// same request id. So do values that this version of the client does not know. A nil error is a success.
func ErrorFrom(err error) CallError {
	if err == nil {
		return CallError{Outcome: payorchv1.Outcome_OUTCOME_SUCCEEDED, Advice: payorchv1.Advice_ADVICE_NONE}
	}
	if failed := new(Error); errors.As(err, &failed) {
		return failed.CallError
	}
	seen := status.Convert(err)
	details := seen.Details()
	result := CallError{
		Code:    seen.Code(),
		Message: seen.Message(),
		Outcome: payorchv1.Outcome_OUTCOME_UNKNOWN,
		Advice:  payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID,
	}
	if info := first[*errdetails.ErrorInfo](details); info.GetDomain() == domain {
		result.Reason, result.Metadata = info.GetReason(), info.GetMetadata()
	}
	for _, violation := range first[*errdetails.BadRequest](details).GetFieldViolations() {
		result.Violations = append(result.Violations, FieldViolation{
			Field: violation.GetField(), Rule: violation.GetReason(), Description: violation.GetDescription(),
		})
	}
	if retry := first[*errdetails.RetryInfo](details); retry != nil {
		result.RetryDelay = max(0, retry.GetRetryDelay().AsDuration())
	}
	if outcome := first[*payorchv1.CallOutcome](details); outcome != nil {
		result.read(outcome)
	}
	return result
}

// first returns the first detail of a kind, or nil.
func first[Kind any](details []any) Kind {
	for _, detail := range details {
		if found, ok := detail.(Kind); ok {
			return found
		}
	}
	var none Kind
	return none
}

func (e *CallError) read(outcome *payorchv1.CallOutcome) {
	e.CallOutcome = outcome
	e.TrackID, e.ZuoraCodes = outcome.GetTrackId(), outcome.GetZuoraCodes()
	switch outcome.GetOutcome() {
	case payorchv1.Outcome_OUTCOME_NOT_SENT, payorchv1.Outcome_OUTCOME_REFUSED, payorchv1.Outcome_OUTCOME_PARTIAL:
		e.Outcome = outcome.GetOutcome()
	default: // unknown, of a later contract, or an error that claims a success and says nothing certain
	}
	advice := outcome.GetAdvice()
	if advice != payorchv1.Advice_ADVICE_UNSPECIFIED && payorchv1.Advice_name[int32(advice)] != "" {
		e.Advice = advice
	}
	if before := outcome.GetResendBeforeTime(); before != nil && before.IsValid() {
		e.ResendBeforeTime = before.AsTime()
	}
}
