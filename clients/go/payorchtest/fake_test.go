package payorchtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
	"payorch.internal/client/payorchtest"
)

const order = "order-4711-attempt-1"

var once = payorch.WithResend(payorch.Resend{Attempts: 1})

func session(requestID, account string) *payorchv1.CreateSessionRequest {
	return &payorchv1.CreateSessionRequest{
		RequestId: requestID,
		Flow: &payorchv1.CreateSessionRequest_OneTimePayment{
			OneTimePayment: &payorchv1.OneTimePayment{AccountId: account},
		},
	}
}

func payment() *payorchv1.DecryptApplePayRequest {
	return &payorchv1.DecryptApplePayRequest{
		RequestId:        order,
		StoredCredential: &payorchv1.DecryptApplePayRequest_ZuoraDefault{ZuoraDefault: &payorchv1.StoredCredentialZuoraDefault{}},
		Charge:           &payorchv1.DecryptApplePayRequest_PayInvoice{PayInvoice: &payorchv1.PayInvoice{Invoice: "INV1"}},
	}
}

type entry struct {
	Code              string
	Message           string
	Outcome           string
	Advice            string
	AdviceByRPC       map[string]string `json:"adviceByRpc"`
	RetryDelaySeconds float64
	Metadata          []string
	NamesFields       bool
}

// published returns the catalogue of all clients.
func published(t *testing.T) map[string]entry {
	t.Helper()
	content, err := os.ReadFile("../../reasons.json")
	if err != nil {
		t.Fatal(err)
	}
	var entries map[string]entry
	if err := json.Unmarshal(content, &entries); err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestReasonsAreThoseOfTheService(t *testing.T) {
	catalogue := published(t)
	if len(catalogue) != len(payorchtest.Reasons()) || len(catalogue) < 40 {
		t.Errorf("%d reasons, not %d", len(payorchtest.Reasons()), len(catalogue))
	}
	for reason, known := range catalogue {
		t.Run(reason, func(t *testing.T) {
			fake := payorchtest.New(t)
			fake.FailWith(reason, payorchtest.Times(2))
			client := fake.Client(once)
			_, ofSession := client.CreateSession(t.Context(), session(order, "a"))
			_, ofPayment := client.DecryptApplePay(t.Context(), payment())
			for rpc, err := range map[string]error{"CreateSession": ofSession, "DecryptApplePay": ofPayment} {
				advice := known.Advice
				if own, ok := known.AdviceByRPC[rpc]; ok {
					advice = own
				}
				seen := payorch.ErrorFrom(err)
				found := fmt.Sprintln(seen.Reason, code.Code(seen.Code), seen.Message, seen.Outcome, seen.Advice, seen.RetryDelay.Seconds())
				expected := fmt.Sprintln(reason, known.Code, known.Message, "OUTCOME_"+known.Outcome, "ADVICE_"+advice, known.RetryDelaySeconds)
				if found != expected {
					t.Errorf("%s: %s, not %s", rpc, found, expected)
				}
				for _, key := range known.Metadata {
					if seen.Metadata[key] == "" {
						t.Errorf("%s: no %s in %v", rpc, key, seen.Metadata)
					}
				}
				if (len(seen.Violations) > 0) != known.NamesFields || seen.TrackID == "" {
					t.Errorf("%s: %v, Track-Id %q", rpc, seen.Violations, seen.TrackID)
				}
			}
		})
	}
}

// refusing is a test that can be ended without ending the one around it.
type refusing struct {
	testing.TB
	ended string
}

func (r *refusing) Fatalf(format string, values ...any) { r.ended += fmt.Sprintf(format, values...) }

func TestPlansThatTheServiceNeverAnswersEndTheTest(t *testing.T) {
	for expected, plan := range map[string]func(*payorchtest.Fake){
		`reason: "PAYMENT_DECLINE" is none; did you mean PAYMENT_DECLINED, `: func(fake *payorchtest.Fake) {
			fake.FailWith("PAYMENT_DECLINE")
		},
		`reason: "QQ" is none`: func(fake *payorchtest.Fake) { fake.FailWith("QQ") },
		"executed: OVERLOADED says that the request was not executed": func(fake *payorchtest.Fake) {
			fake.FailWith("OVERLOADED", payorchtest.Executed())
		},
	} {
		test := &refusing{TB: t}
		if plan(payorchtest.New(test)); !strings.HasPrefix(test.ended, "payorchtest: "+expected) {
			t.Errorf("%s", test.ended)
		}
	}
}

func TestErrorsCarryWhatAPlanSays(t *testing.T) {
	fake := payorchtest.New(t)
	ids := &payorchv1.ExistingIds{PaymentMethodId: "method-1"}
	fake.FailWith("ROUTE_HINT_CONTRADICTED", payorchtest.Metadata("hint", "entity"), payorchtest.ZuoraCodes("1"),
		payorchtest.Violation("route.entity", "is another one"), payorchtest.RetryAfter(time.Second), payorchtest.Existing(ids))
	_, err := fake.Client(once).CreateSession(t.Context(), session(order, "a"))
	seen := payorch.ErrorFrom(err)
	if seen.Metadata["hint"] != "entity" || seen.Metadata["rule"] != "example" || !slices.Equal(seen.ZuoraCodes, []string{"1"}) ||
		seen.Violations[0].Field != "route.entity" || seen.RetryDelay != time.Second ||
		seen.CallOutcome.GetExisting().GetPaymentMethodId() != "method-1" {
		t.Errorf("%+v", seen)
	}
}

func TestIntentIsExecutedOnce(t *testing.T) {
	fake := payorchtest.New(t)
	client := fake.Client()
	first, err := client.CreateSession(t.Context(), session(order, "a"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.CreateSession(payorch.WithTrackID(t.Context(), "ticket-2"), session(order, "a"))
	if err != nil || first.GetSession().GetToken() != again.GetSession().GetToken() {
		t.Errorf("%v, %v, %v", first, again, err)
	}
	if first.GetCall().GetReplayed() != payorchv1.Replay_REPLAY_NO || again.GetCall().GetReplayed() != payorchv1.Replay_REPLAY_YES ||
		again.GetCall().GetTrackId() != "ticket-2" || again.GetCall().GetExecutedTrackId() != first.GetCall().GetTrackId() {
		t.Errorf("%v, %v", first.GetCall(), again.GetCall())
	}
	if calls := fake.Calls(); len(calls) != 2 || !calls[0].Executed || calls[1].Executed || len(fake.Executed()) != 1 {
		t.Errorf("%v", calls)
	}
}

func TestExpectedAmountIsReportedWhereItIsPaid(t *testing.T) {
	client := payorchtest.New(t).Client()
	expected, err := payorch.Money("12.34", "USD")
	if err != nil {
		t.Fatal(err)
	}
	for row, request := range []*payorchv1.DecryptApplePayRequest{payment(), payment(), payment()} {
		request.RequestId = payorch.NewRequestID()
		if row > 0 {
			request.ExpectedAmount = expected
		}
		if row > 1 {
			request.Charge = &payorchv1.DecryptApplePayRequest_NoCharge{NoCharge: &payorchv1.NoCharge{}}
		}
		answer, err := client.DecryptApplePay(t.Context(), request)
		seen := fmt.Sprint(answer.GetReportedAmount(), " ", answer.GetAmountCheck())
		if wanted := []string{
			" AMOUNT_CHECK_UNSPECIFIED", "12.34 AMOUNT_CHECK_EQUAL", " AMOUNT_CHECK_NOT_REPORTED",
		}[row]; err != nil || seen != wanted {
			t.Errorf("%s, not %s; %v", seen, wanted, err)
		}
	}
}

func TestIntentOfAnotherRequestIsRefused(t *testing.T) {
	client := payorchtest.New(t).Client()
	if _, err := client.CreateSession(t.Context(), session(order, "a")); err != nil {
		t.Fatal(err)
	}
	_, err := client.CreateSession(t.Context(), session(order, "b"))
	if seen := payorch.ErrorFrom(err); seen.Reason != "INTENT_MISMATCH" || seen.Violations[0].Field != "one_time_payment" {
		t.Errorf("%v", err)
	}
}

func TestWhatSettlesAnIntent(t *testing.T) {
	for reason, settles := range map[string]bool{
		"PAYMENT_DECLINED": true, "PAYMENT_REFUSED_METHOD_CREATED": true, "UPSTREAM_INTERNAL": true,
		"UPSTREAM_NO_ANSWER": false, "OVERLOADED": false, "REQUEST_INVALID": false,
	} {
		fake := payorchtest.New(t)
		fake.FailWith(reason)
		client := fake.Client(once)
		_, first := client.DecryptApplePay(t.Context(), payment())
		_, second := client.DecryptApplePay(t.Context(), payment())
		if payorch.ErrorFrom(first).Reason != reason || (payorch.ErrorFrom(second).Reason == reason) != settles {
			t.Errorf("%v, then %v", first, second)
		}
		if executed := len(fake.Executed()); (executed == 0) != settles {
			t.Errorf("%s: executed %d times", reason, executed)
		}
	}
}

func TestQuestionIsAnsweredFromTheRecords(t *testing.T) {
	fake := payorchtest.New(t)
	client := fake.Client(once)
	question := &payorchv1.GetIntentRequest{RequestId: order, Operation: payorchv1.Operation_OPERATION_DECRYPT_APPLE_PAY}
	ask := func() *payorchv1.GetIntentResponse {
		answer, err := client.GetIntent(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if state := ask().GetIntentState(); state != payorchv1.IntentState_INTENT_STATE_NOT_FOUND {
		t.Errorf("%s", state)
	}
	fake.FailWith("UPSTREAM_NO_ANSWER")
	_, _ = client.DecryptApplePay(payorch.WithTrackID(t.Context(), "ticket-1"), payment())
	if told := ask(); told.GetCallOutcome().GetOutcome() != payorchv1.Outcome_OUTCOME_UNKNOWN || !slices.Equal(told.GetTrackIds(), []string{"ticket-1"}) {
		t.Errorf("%v", told)
	}
	if _, err := client.DecryptApplePay(t.Context(), payment()); err != nil {
		t.Fatal(err)
	}
	if outcome := ask().GetCallOutcome().GetOutcome(); outcome != payorchv1.Outcome_OUTCOME_SUCCEEDED {
		t.Errorf("%s", outcome)
	}
}

func TestCallsAreRecorded(t *testing.T) {
	fake := payorchtest.New(t)
	token := func(context.Context, bool) (string, error) { return "token-1", nil }
	client := fake.Client(once, payorch.WithToken(token))
	fake.FailWith("PAYMENT_DECLINED", payorchtest.OnRPC("CreatePaymentMethod"))
	fake.FailWithoutDetails(codes.Unavailable, "no healthy upstream", payorchtest.OnRPC("DecryptApplePay"))
	_, wrong := client.CreateSession(t.Context(), &payorchv1.CreateSessionRequest{RequestId: "short"})
	_, right := client.CreateSession(payorch.WithTrackID(t.Context(), "ticket-1"), session(order, "a"))
	_, lost := client.DecryptApplePay(t.Context(), payment())
	checked := session("order-4711-attempt-2", "a")
	checked.ValidateOnly = true
	answer, err := client.CreateSession(t.Context(), checked)
	if right != nil || err != nil || answer.GetSession() != nil || answer.GetUpstreamRequest().GetMethod() != "POST" {
		t.Errorf("%v, %v, %v", right, answer, err)
	}
	var fields []string
	for _, violation := range payorch.ErrorFrom(wrong).Violations {
		fields = append(fields, violation.Field)
	}
	if !slices.Equal(fields, []string{"request_id", "flow"}) || !errors.Is(lost, payorch.ErrOutcomeUnknown) {
		t.Errorf("%v, %v", wrong, lost)
	}
	var seen []string
	for _, call := range fake.Calls() {
		seen = append(seen, fmt.Sprint(call.RPC, " ", call.RequestID, " ", call.Reason, " ", call.Executed, " ", call.Token))
	}
	if !slices.Equal(seen, []string{
		"CreateSession short REQUEST_INVALID false token-1",
		"CreateSession " + order + "  true token-1",
		"DecryptApplePay " + order + " UNAVAILABLE false token-1",
		"CreateSession order-4711-attempt-2  false token-1",
	}) || fake.Calls()[1].TrackID != "ticket-1" {
		t.Errorf("%q", seen)
	}
}

func TestEveryRPCIsAnswered(t *testing.T) {
	fake := payorchtest.New(t)
	client, operators := fake.Client(), fake.Diagnostics()
	method, err := client.CreatePaymentMethod(t.Context(), &payorchv1.CreatePaymentMethodRequest{
		Account: &payorchv1.CreatePaymentMethodRequest_NoAccount{NoAccount: &payorchv1.NoAccount{}},
		Method:  &payorchv1.CreatePaymentMethodRequest_ApplePay{ApplePay: &payorchv1.ApplePay{}},
	})
	if err != nil || method.GetPaymentMethod().GetId() == "" || method.GetPaymentMethod().GetPaymentId() != "" {
		t.Errorf("%v, %v", method, err)
	}
	paid, err := client.DecryptApplePay(t.Context(), payment())
	if err != nil || paid.GetPaymentId() == "" || paid.GetPaymentMethodId() == "" {
		t.Errorf("%v, %v", paid, err)
	}
	_, explained := operators.ExplainRoute(t.Context(), &payorchv1.ExplainRouteRequest{})
	_, found := operators.GetCall(t.Context(), &payorchv1.GetCallRequest{})
	_, left := operators.GetQuota(t.Context(), &payorchv1.GetQuotaRequest{})
	if err := errors.Join(explained, found, left); err != nil {
		t.Error(err)
	}
	if count := len(fake.Calls()); count != 5 {
		t.Errorf("%d calls", count)
	}
}
