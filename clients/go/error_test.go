package payorch

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/grpc/codes"

	payorchv1 "payorch.internal/client/payorch/v1"
)

func violations(fields ...string) []FieldViolation {
	var made []FieldViolation
	for _, field := range fields {
		made = append(made, FieldViolation{Field: field, Description: "must be set"})
	}
	return made
}

func TestTextIsEnoughForATicket(t *testing.T) {
	last := &CallError{Code: codes.PermissionDenied, Reason: "CALLER_NOT_PERMITTED"}
	for expected, failed := range map[string]*Error{
		"REQUEST_INVALID: The request breaks rules. [flow: must be set] (outcome NOT_SENT, advice FIX_REQUEST, " +
			"request id order-4711-attempt-1, Track-Id ticket-1, docs/errors.md#request_invalid)": {
			CallError: CallError{
				Code: codes.InvalidArgument, Reason: "REQUEST_INVALID", Message: "The request breaks rules.",
				Outcome: notSent, Advice: payorchv1.Advice_ADVICE_FIX_REQUEST, TrackID: "ticket-1",
				Violations: violations("flow"),
			},
			RequestID: "order-4711-attempt-1",
			Attempts:  make([]CallError, 1),
		},
		"UNAVAILABLE: no\\nhealthy \\u2028\\x00 upstream (outcome UNKNOWN, advice RESEND_SAME_REQUEST_ID, after 2 attempts, " +
			"the last one ended as CALLER_NOT_PERMITTED, docs/errors.md#outcomes-and-advice)": {
			CallError: CallError{
				Code: codes.Unavailable, Message: "no\nhealthy \u2028\x00 upstream", Outcome: unknown, Advice: again,
			},
			Attempts: make([]CallError, 2),
			last:     last,
		},
		"R: m [a: must be set; b: must be set; c: must be set; and 8 more] (outcome REFUSED, advice LOOK_UP, " +
			"Zuora codes 1 2, docs/errors.md#r)": {
			CallError: CallError{
				Reason: "R", Message: "m", Outcome: refused, Advice: lookUp, ZuoraCodes: []string{"1", "2"},
				Violations: violations("a", "b", "c", "d"), Metadata: map[string]string{"violationsOmitted": "7"},
			},
		},
		"R: m [a: must be set; b: must be set; c: must be set] (outcome PARTIAL, advice LOOK_UP, docs/errors.md#r)": {
			CallError: CallError{
				Reason: "R", Message: "m", Outcome: partial, Advice: lookUp, Violations: violations("a", "b", "c"),
				Metadata: map[string]string{"violationsOmitted": "-7"},
			},
		},
		"R: m. a: must be set [b: must be set] (outcome REFUSED, advice LOOK_UP, docs/errors.md#r)": {
			CallError: CallError{
				Reason: "R", Message: "m. a: must be set", Outcome: refused, Advice: lookUp, Violations: violations("a", "b"),
			},
		},
		"R: m. a: must be set (outcome REFUSED, advice LOOK_UP, docs/errors.md#r)": {
			CallError: CallError{
				Reason: "R", Message: "m. a: must be set", Outcome: refused, Advice: lookUp, Violations: violations("a"),
			},
		},
		"R: m. b.a: must be set [a: must be set] (outcome REFUSED, advice LOOK_UP, docs/errors.md#r)": {
			CallError: CallError{
				Reason: "R", Message: "m. b.a: must be set", Outcome: refused, Advice: lookUp,
				Violations: violations("b.a", "a"),
			},
		},
		"R: m. a: must be set, it says [a: must be set] (outcome REFUSED, advice LOOK_UP, docs/errors.md#r)": {
			CallError: CallError{
				Reason: "R", Message: "m. a: must be set, it says", Outcome: refused, Advice: lookUp,
				Violations: violations("a"),
			},
		},
		"target: it is empty": argument("target: it is empty"),
	} {
		failed.errorsURL = defaultErrorsURL
		if failed.Error() != expected {
			t.Errorf("%s\nnot\n%s", failed, expected)
		}
	}
}

func TestErrorIsExactlyOneOutcome(t *testing.T) {
	kinds := map[payorchv1.Outcome]error{
		notSent: ErrNotSent, refused: ErrRefused, partial: ErrPartial, unknown: ErrOutcomeUnknown,
	}
	for outcome := range kinds {
		failed := &Error{CallError: CallError{Outcome: outcome}, causes: []error{io.EOF}}
		for other, kind := range kinds {
			if errors.Is(failed, kind) != (other == outcome) {
				t.Errorf("%s is %v", outcome, kind)
			}
		}
		if errors.Is(failed, ErrArgument) || !errors.Is(failed, io.EOF) {
			t.Errorf("%s: its cause is lost, or it is an argument", outcome)
		}
	}
	if wrong := argument("x"); !errors.Is(wrong, ErrArgument) || !errors.Is(wrong, ErrNotSent) {
		t.Error("an argument that is wrong was not sent")
	}
}

func TestErrorOfAClientReadsAsItself(t *testing.T) {
	failed := &Error{CallError: CallError{Reason: "PAYMENT_DECLINED", Outcome: refused}}
	if read := ErrorFrom(errors.Join(io.EOF, failed)); read.Reason != "PAYMENT_DECLINED" || read.Outcome != refused {
		t.Errorf("%+v", read)
	}
}
