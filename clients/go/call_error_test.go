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
	seen, err := status.New(codes.Unavailable, "no").WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return seen.Err()
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
		"an error that is a success": {
			failure(t, &payorchv1.CallOutcome{Outcome: payorchv1.Outcome_OUTCOME_SUCCEEDED}), unknown, resend,
		},
		"wrapped": {
			fmt.Errorf("order 4711: %w", failure(t, refused)), refused.GetOutcome(), refused.GetAdvice(),
		},
	} {
		read := payorch.ErrorFrom(row.err)
		if read.Outcome != row.outcome || read.Advice != row.advice {
			t.Errorf("%s: %s, %s", reason, read.Outcome, read.Advice)
		}
	}
}

func TestEveryDetailIsRead(t *testing.T) {
	before := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	read := payorch.ErrorFrom(failure(t,
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

	if read.Code != codes.Unavailable || read.Message != "no" || read.Reason != "OVERLOADED" || read.Metadata["tenant"] != "acme" {
		t.Errorf("status and info: %+v", read)
	}
	if read.RetryDelay != 1500*time.Millisecond || !read.ResendBeforeTime.Equal(before) {
		t.Errorf("times: %s, %s", read.RetryDelay, read.ResendBeforeTime)
	}
	if len(read.Violations) != 1 || read.Violations[0].Rule != "REQUEST_ID" || read.Violations[0].Field != "request_id" {
		t.Errorf("violations: %v", read.Violations)
	}
	if read.Outcome != payorchv1.Outcome_OUTCOME_NOT_SENT || read.TrackID != "order-4711" || len(read.ZuoraCodes) != 1 || read.CallOutcome == nil {
		t.Errorf("outcome: %+v", read)
	}
}

func TestAReasonOfAnotherDomainIsNotOurs(t *testing.T) {
	read := payorch.ErrorFrom(failure(t, &errdetails.ErrorInfo{Domain: "proxy.example", Reason: "INTERNAL"}))
	if read.Reason != "" {
		t.Errorf("reason: %s", read.Reason)
	}
}
