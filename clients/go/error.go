package payorch

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// What [errors.Is] finds in an [*Error]: exactly one of the four outcomes, and ErrArgument where it is one.
var (
	// ErrNotSent: nothing of this call reached Zuora; an earlier call of the same intent may have.
	ErrNotSent = errors.New("payorch: nothing was sent to Zuora")
	// ErrRefused: Zuora refused, and did nothing.
	ErrRefused = errors.New("payorch: Zuora refused")
	// ErrPartial: a part was done; CallOutcome.Existing names it.
	ErrPartial = errors.New("payorch: a part was done")
	// ErrOutcomeUnknown: it may or may not have been done; start no new intent before that is settled.
	ErrOutcomeUnknown = errors.New("payorch: the outcome is unknown")
	// ErrArgument: the program has to be corrected; nothing was sent, so ErrNotSent is found too.
	ErrArgument = errors.New("payorch: an argument is wrong")
)

const (
	// defaultErrorsURL is the page with every reason, in the project's repository.
	defaultErrorsURL = "docs/errors.md"
	mostViolations   = 3
)

// Error is a call that failed, or an argument that is wrong. Its text alone is enough for a ticket: it names reason,
// broken fields, request id and Track-Id, and no value of the request.
type Error struct {
	// CallError is that of the least certain attempt.
	CallError
	// RequestID is that of the intent, for a resend; empty where the call has none.
	RequestID string
	// Attempts are how all attempts of the call ended, in their order; empty for an argument.
	Attempts []CallError

	isArgument bool
	errorsURL  string
	// last is the newest attempt, if another one is the error's.
	last   *CallError
	causes []error
}

// argument returns the error of an argument.
func argument(format string, values ...any) *Error {
	return &Error{
		CallError: CallError{
			Code:    codes.InvalidArgument,
			Message: fmt.Sprintf(format, values...),
			Outcome: payorchv1.Outcome_OUTCOME_NOT_SENT,
			Advice:  payorchv1.Advice_ADVICE_FIX_REQUEST,
		},
		isArgument: true,
	}
}

// because adds a cause to the error of an argument.
func (e *Error) because(cause error) *Error {
	e.causes = append(e.causes, cause)
	return e
}

// Is returns whether the error is of a kind; [errors.Is] uses it.
func (e *Error) Is(kind error) bool {
	switch kind {
	case ErrArgument:
		return e.isArgument
	case ErrNotSent:
		return e.Outcome == payorchv1.Outcome_OUTCOME_NOT_SENT
	case ErrRefused:
		return e.Outcome == payorchv1.Outcome_OUTCOME_REFUSED
	case ErrPartial:
		return e.Outcome == payorchv1.Outcome_OUTCOME_PARTIAL
	case ErrOutcomeUnknown:
		return e.Outcome == payorchv1.Outcome_OUTCOME_UNKNOWN
	}
	return false
}

// Unwrap returns the errors below: of gRPC, of the context, of the supplier of tokens.
func (e *Error) Unwrap() []error { return e.causes }

// Error returns the error in one line: what, which fields, what it means, and the ids by which others find the call.
func (e *Error) Error() string {
	if e.isArgument {
		return oneLine(e.Message)
	}
	anchor := strings.ToLower(e.Reason)
	if anchor == "" {
		anchor = "outcomes-and-advice"
	}
	facts := append(e.facts(), e.errorsURL+"#"+anchor)
	return oneLine(fmt.Sprintf("%s: %s%s (%s)", e.name(), e.Message, e.fields(), strings.Join(facts, ", ")))
}

// name returns what an attempt ended as.
func (e *CallError) name() string {
	if e.Reason != "" {
		return e.Reason
	}
	return nameOf(e.Code)
}

// nameOf returns a code as the contract writes it.
func nameOf(number codes.Code) string { return code.Code(number).String() }

// fields returns the first violations in brackets, and how many there are beside them.
// The service puts the first one at the end of the message, and then it is left out here.
func (e *Error) fields() string {
	var shown []string
	first := e.Violations[:min(mostViolations, len(e.Violations))]
	for _, violation := range first {
		shown = append(shown, violation.Field+": "+violation.Description)
	}
	if len(shown) > 0 && strings.HasSuffix(" "+e.Message, " "+shown[0]) {
		shown = shown[1:]
	}
	omitted, _ := strconv.ParseUint(e.Metadata["violationsOmitted"], 10, 31)
	if more := len(e.Violations) - len(first) + int(omitted); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	if len(shown) == 0 {
		return ""
	}
	return " [" + strings.Join(shown, "; ") + "]"
}

func (e *Error) facts() []string {
	facts := []string{
		"outcome " + strings.TrimPrefix(e.Outcome.String(), "OUTCOME_"),
		"advice " + strings.TrimPrefix(e.Advice.String(), "ADVICE_"),
	}
	if len(e.Attempts) > 1 {
		facts = append(facts, fmt.Sprintf("after %d attempts", len(e.Attempts)))
	}
	if e.last != nil {
		facts = append(facts, "the last one ended as "+e.last.name())
	}
	if e.RequestID != "" {
		facts = append(facts, "request id "+e.RequestID)
	}
	if e.TrackID != "" {
		facts = append(facts, "Track-Id "+e.TrackID)
	}
	if len(e.ZuoraCodes) > 0 {
		facts = append(facts, "Zuora codes "+strings.Join(e.ZuoraCodes, " "))
	}
	return facts
}

// oneLine escapes what could begin a new line in a log: others wrote a part of the text.
func oneLine(text string) string {
	var line strings.Builder
	for _, letter := range text {
		if strconv.IsPrint(letter) {
			line.WriteRune(letter)
		} else {
			line.WriteString(strings.Trim(strconv.QuoteRune(letter), "'"))
		}
	}
	return line.String()
}
