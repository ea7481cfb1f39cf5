package payorch_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	resend  = payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID
	unknown = payorchv1.Outcome_OUTCOME_UNKNOWN
)

func failure(t *testing.T, details ...protoadapt.MessageV1) error {
	t.Helper()
	told, err := status.New(codes.Unavailable, "no").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return told.Err()
}

func TestWhatCannotBeReadIsAnUnknownOutcome(t *testing.T) {
	refused := &payorchv1.CallOutcome{Outcome: payorchv1.Outcome_OUTCOME_REFUSED, Advice: payorchv1.Advice_ADVICE_FIX_REQUEST}
	for reason, row := range map[string]struct {
		err     error
		outcome payorchv1.Outcome
		advice  payorchv1.Advice
	}{
		"no error":                   {nil, payorchv1.Outcome_OUTCOME_SUCCEEDED, payorchv1.Advice_ADVICE_NONE},
		"no status":                  {errors.New("broken pipe"), unknown, resend},
		"no details":                 {failure(t), unknown, resend},
		"nothing stated":             {failure(t, &payorchv1.CallOutcome{}), unknown, resend},
		"values of a later contract": {failure(t, &payorchv1.CallOutcome{Outcome: 99, Advice: 99}), unknown, resend},
		"wrapped": {
			fmt.Errorf("order 4711: %w", failure(t, refused)), refused.GetOutcome(), refused.GetAdvice(),
		},
	} {
		told := payorch.ErrorFrom(row.err)
		if told.Outcome != row.outcome || told.Advice != row.advice {
			t.Errorf("%s: %s, %s", reason, told.Outcome, told.Advice)
		}
	}
}

func TestEveryDetailIsRead(t *testing.T) {
	before := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	told := payorch.ErrorFrom(failure(t,
		&errdetails.ErrorInfo{Domain: "payorch", Reason: "OVERLOADED", Metadata: map[string]string{"tenant": "acme"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "request_id", Reason: "REQUEST_ID", Description: "must be 16 to 128 characters"},
		}},
		&payorchv1.CallOutcome{
			Outcome: payorchv1.Outcome_OUTCOME_NOT_SENT, Advice: resend, TrackId: "order-4711",
			ZuoraCodes: []string{"53200020"}, ResendBeforeTime: timestamppb.New(before),
		},
	))

	if told.Code != codes.Unavailable || told.Message != "no" || told.Reason != "OVERLOADED" || told.Metadata["tenant"] != "acme" {
		t.Errorf("status and info: %+v", told)
	}
	if told.RetryDelay != 1500*time.Millisecond || !told.ResendBeforeTime.Equal(before) {
		t.Errorf("times: %s, %s", told.RetryDelay, told.ResendBeforeTime)
	}
	if len(told.Violations) != 1 || told.Violations[0].Rule != "REQUEST_ID" || told.Violations[0].Field != "request_id" {
		t.Errorf("violations: %v", told.Violations)
	}
	if told.Outcome != payorchv1.Outcome_OUTCOME_NOT_SENT || told.TrackID != "order-4711" || len(told.ZuoraCodes) != 1 || told.CallOutcome == nil {
		t.Errorf("outcome: %+v", told)
	}
}

func TestAReasonOfAnotherDomainIsNotOurs(t *testing.T) {
	told := payorch.ErrorFrom(failure(t, &errdetails.ErrorInfo{Domain: "proxy.example", Reason: "INTERNAL"}))
	if told.Reason != "" {
		t.Errorf("reason: %s", told.Reason)
	}
}
