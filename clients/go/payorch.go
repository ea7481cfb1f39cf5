package payorch

import (
	_ "embed"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/health" // healthCheckConfig has no effect without it
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// ServiceConfig is the published gRPC service config: round robin, health, the retries that the contract allows, and
// their throttling. [Options] puts it in force.
//
//go:embed service_config.json
var ServiceConfig string

// Options returns what every connection to the service wants: the service config, which DNS cannot replace, and pings
// that find a connection whose other end is gone; the service allows one every 10 s. Credentials are yours to add.
func Options() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultServiceConfig(ServiceConfig),
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	}
}

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

// CallError is what the error of a call tells.
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
}

// ErrorFrom reads the error that a stub returned, wrapped or not.
//
// An error that carries no CallOutcome, such as one made by a proxy, means: outcome UNKNOWN, advice resend with the
// same request id. So do values that this version of the client does not know. A nil error is a success.
func ErrorFrom(err error) CallError {
	if err == nil {
		return CallError{Outcome: payorchv1.Outcome_OUTCOME_SUCCEEDED, Advice: payorchv1.Advice_ADVICE_NONE}
	}
	told := status.Convert(err)
	result := CallError{
		Code:    told.Code(),
		Message: told.Message(),
		Outcome: payorchv1.Outcome_OUTCOME_UNKNOWN,
		Advice:  payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID,
	}
	for _, detail := range told.Details() {
		result.read(detail)
	}
	return result
}

func (e *CallError) read(detail any) {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		if detail.GetDomain() == domain {
			e.Reason, e.Metadata = detail.GetReason(), detail.GetMetadata()
		}
	case *errdetails.BadRequest:
		for _, one := range detail.GetFieldViolations() {
			e.Violations = append(e.Violations, FieldViolation{one.GetField(), one.GetReason(), one.GetDescription()})
		}
	case *errdetails.RetryInfo:
		e.RetryDelay = detail.GetRetryDelay().AsDuration()
	case *payorchv1.CallOutcome:
		e.readOutcome(detail)
	}
}

func (e *CallError) readOutcome(outcome *payorchv1.CallOutcome) {
	e.CallOutcome = outcome
	e.TrackID, e.ZuoraCodes = outcome.GetTrackId(), outcome.GetZuoraCodes()
	if one := outcome.GetOutcome(); one != payorchv1.Outcome_OUTCOME_UNSPECIFIED && payorchv1.Outcome_name[int32(one)] != "" {
		e.Outcome = one
	}
	if one := outcome.GetAdvice(); one != payorchv1.Advice_ADVICE_UNSPECIFIED && payorchv1.Advice_name[int32(one)] != "" {
		e.Advice = one
	}
	if outcome.GetResendBeforeTime() != nil {
		e.ResendBeforeTime = outcome.GetResendBeforeTime().AsTime()
	}
}
