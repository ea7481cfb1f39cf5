package payorch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
	"payorch.internal/client/payorchtest"
)

const order = "order-4711-attempt-1"

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func session(requestID string) *payorchv1.CreateSessionRequest {
	return &payorchv1.CreateSessionRequest{
		RequestId: requestID,
		Flow: &payorchv1.CreateSessionRequest_OneTimePayment{
			OneTimePayment: &payorchv1.OneTimePayment{AccountId: "a"},
		},
	}
}

func payment(requestID string) *payorchv1.DecryptApplePayRequest {
	return &payorchv1.DecryptApplePayRequest{
		RequestId:        requestID,
		TokenJson:        []byte("{}"),
		StoredCredential: &payorchv1.DecryptApplePayRequest_ZuoraDefault{ZuoraDefault: &payorchv1.StoredCredentialZuoraDefault{}},
		Charge:           &payorchv1.DecryptApplePayRequest_PayInvoice{PayInvoice: &payorchv1.PayInvoice{Invoice: "INV1"}},
	}
}

func failedAs(t *testing.T, err, kind error) *payorch.Error {
	t.Helper()
	var failed *payorch.Error
	if !errors.As(err, &failed) || !errors.Is(err, kind) {
		t.Fatalf("%v is not %v", err, kind)
	}
	return failed
}

func reasons(calls []payorchtest.Call) []string {
	var found []string
	for _, call := range calls {
		found = append(found, call.Reason)
	}
	return found
}

func TestRequestIDIsMadeWithoutATraceInTheCallersMessage(t *testing.T) {
	fake := payorchtest.New(t)
	client, template := fake.Client(), session("")
	for range 2 {
		answer, err := client.CreateSession(t.Context(), template)
		if err != nil || !uuid7.MatchString(answer.GetCall().GetRequestId()) {
			t.Errorf("%v, %v", answer, err)
		}
	}
	if !proto.Equal(template, session("")) || len(fake.Executed()) != 2 {
		t.Errorf("%v, executed %d times", template, len(fake.Executed()))
	}
}

func TestRequestIDsAreOrderedAndOnlyOnce(t *testing.T) {
	before, seen := "", map[string]bool{}
	for range 1000 {
		id := payorch.NewRequestID()
		if !uuid7.MatchString(id) || seen[id] || id[:8] < before {
			t.Fatalf("%s after %s", id, before)
		}
		before, seen[id] = id[:8], true
	}
}

func TestRequestIDOfAPaymentIsTheCallers(t *testing.T) {
	fake := payorchtest.New(t)
	client := fake.Client()
	byMethod := &payorchv1.CreatePaymentMethodRequest{Method: &payorchv1.CreatePaymentMethodRequest_ApplePay{
		ApplePay: &payorchv1.ApplePay{Charge: &payorchv1.ApplePay_PayInvoice{PayInvoice: &payorchv1.PayInvoice{}}},
	}}
	_, ofDecryption := client.DecryptApplePay(t.Context(), payment(""))
	_, ofMethod := client.CreatePaymentMethod(t.Context(), byMethod)
	_, ofQuestion := client.GetIntent(t.Context(), &payorchv1.GetIntentRequest{})
	for _, row := range []struct {
		err  error
		text string
	}{
		{ofDecryption, "request_id: it is required, because the request pays an invoice."},
		{ofMethod, "request_id: it is required, because the request pays an invoice."},
		{ofQuestion, "request_id: it is required; it names the intent"},
	} {
		if failed := failedAs(t, row.err, payorch.ErrArgument); !strings.HasPrefix(failed.Error(), row.text) {
			t.Errorf("%v", failed)
		}
	}
	if len(fake.Calls()) > 0 {
		t.Errorf("%v", reasons(fake.Calls()))
	}
}

// A new field of the type PayInvoice cannot be forgotten.
func TestEveryRequestThatCanPayAnInvoiceNeedsARequestID(t *testing.T) {
	fake := payorchtest.New(t)
	client := fake.Client()
	found := 0
	for _, empty := range []proto.Message{
		&payorchv1.CreateSessionRequest{}, &payorchv1.DecryptApplePayRequest{}, &payorchv1.CreatePaymentMethodRequest{},
	} {
		for _, path := range pathsOfPayments(empty.ProtoReflect().Descriptor(), 4) {
			found++
			request := proto.Clone(empty)
			message := request.ProtoReflect()
			for _, field := range path {
				message = message.Mutable(field).Message()
			}
			var err error
			switch request := request.(type) {
			case *payorchv1.CreateSessionRequest:
				_, err = client.CreateSession(t.Context(), request)
			case *payorchv1.DecryptApplePayRequest:
				_, err = client.DecryptApplePay(t.Context(), request)
			case *payorchv1.CreatePaymentMethodRequest:
				_, err = client.CreatePaymentMethod(t.Context(), request)
			}
			failedAs(t, err, payorch.ErrArgument)
		}
	}
	if found < 2 {
		t.Errorf("only %d fields pay an invoice", found)
	}
}

func pathsOfPayments(message protoreflect.MessageDescriptor, depth int) [][]protoreflect.FieldDescriptor {
	var paths [][]protoreflect.FieldDescriptor
	for index := range message.Fields().Len() {
		field := message.Fields().Get(index)
		switch {
		case field.Message() == nil || field.IsList() || field.IsMap() || depth == 0:
		case field.Message().FullName() == "payorch.v1.PayInvoice":
			paths = append(paths, []protoreflect.FieldDescriptor{field})
		default:
			for _, below := range pathsOfPayments(field.Message(), depth-1) {
				paths = append(paths, append([]protoreflect.FieldDescriptor{field}, below...))
			}
		}
	}
	return paths
}

func TestPaymentIsMadeOnceHoweverOftenItIsSent(t *testing.T) {
	fake := payorchtest.New(t)
	fake.FailWith("UPSTREAM_NO_ANSWER", payorchtest.Executed())
	fake.FailWith("OVERLOADED")
	fake.FailWithoutDetails(codes.Unavailable, "upstream connect error")
	answer, err := fake.Client().DecryptApplePay(t.Context(), payment(order))
	if err != nil || answer.GetPaymentId() == "" || answer.GetCall().GetReplayed() != payorchv1.Replay_REPLAY_YES {
		t.Errorf("%v, %v", answer, err)
	}
	for _, call := range fake.Calls() {
		if call.RequestID != order {
			t.Errorf("sent as %s", call.RequestID)
		}
	}
	if len(fake.Executed()) != 1 || len(fake.Calls()) != 4 {
		t.Errorf("%v", reasons(fake.Calls()))
	}
}

func TestDoubtOfAnEarlierAttemptIsTheError(t *testing.T) {
	fake := payorchtest.New(t)
	fake.FailWith("UPSTREAM_NO_ANSWER")
	fake.FailWith("CALLER_NOT_PERMITTED")
	_, err := fake.Client().DecryptApplePay(t.Context(), payment(order))
	failed := failedAs(t, err, payorch.ErrOutcomeUnknown)
	if !strings.Contains(err.Error(), "after 2 attempts, the last one ended as CALLER_NOT_PERMITTED, request id "+order) {
		t.Errorf("%v", err)
	}
	if failed.Attempts[0].Reason != "UPSTREAM_NO_ANSWER" || failed.Attempts[1].Reason != "CALLER_NOT_PERMITTED" {
		t.Errorf("%v", failed.Attempts)
	}
	if status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("gRPC's own error is lost: %s", status.Code(err))
	}
}

// Whatever attempts end with, a payment is made once, and no error says more than was seen.
func TestNoErrorSaysMoreThanWasSeen(t *testing.T) {
	ends := append(payorchtest.Reasons(), "")
	for first := range ends {
		second := ends[(first*7+3)%len(ends)]
		t.Run(ends[first]+"-"+second, func(t *testing.T) {
			fake := payorchtest.New(t)
			plan(fake, ends[first])
			plan(fake, second)
			_, err := fake.Client().DecryptApplePay(t.Context(), payment(order))
			calls := fake.Calls()
			switch {
			case err == nil && len(fake.Executed()) != 1:
				t.Error("a success without a payment")
			case err != nil && len(fake.Executed()) > 0 && !errors.Is(err, payorch.ErrOutcomeUnknown):
				t.Errorf("paid, and %v", err)
			}
			if err == nil {
				return
			}
			failed := failedAs(t, err, err)
			if len(failed.Attempts) != len(calls) {
				t.Errorf("%d attempts of %d", len(failed.Attempts), len(calls))
			}
			isUnknown := func(seen payorch.CallError) bool { return seen.Outcome == payorchv1.Outcome_OUTCOME_UNKNOWN }
			if errors.Is(err, payorch.ErrNotSent) && slices.ContainsFunc(failed.Attempts, isUnknown) {
				t.Errorf("an unknown outcome became %v", err)
			}
		})
	}
}

func plan(fake *payorchtest.Fake, reason string) {
	switch {
	case reason == "":
		fake.FailWithoutDetails(codes.Unavailable, "no healthy upstream")
	case outcomes()[reason].Outcome == "UNKNOWN":
		fake.FailWith(reason, payorchtest.Executed(), payorchtest.RetryAfter(0))
	default:
		fake.FailWith(reason, payorchtest.RetryAfter(0))
	}
}

// outcomes reads the catalogue of the double.
var outcomes = sync.OnceValue(func() map[string]struct{ Outcome string } {
	content, err := os.ReadFile("payorchtest/reasons.json")
	if err != nil {
		panic(err)
	}
	var entries map[string]struct{ Outcome string }
	if err := json.Unmarshal(content, &entries); err != nil {
		panic(err)
	}
	return entries
})

func TestPolicyEndsTheAttempts(t *testing.T) {
	for expected, option := range map[int]payorch.Option{
		4: payorch.WithResend(payorch.Resend{}),
		3: payorch.WithResend(payorch.Resend{Attempts: 3}),
		1: payorch.WithoutResend(),
	} {
		fake := payorchtest.New(t)
		fake.FailWith("OVERLOADED", payorchtest.Times(9))
		_, err := fake.Client(option).CreateSession(t.Context(), session(""))
		if failed := failedAs(t, err, payorch.ErrNotSent); len(fake.Calls()) != expected || len(failed.Attempts) != expected {
			t.Errorf("sent %d times, not %d", len(fake.Calls()), expected)
		}
	}
	for _, wrong := range []payorch.Resend{{Attempts: -1}, {Within: -time.Second}} {
		_, err := payorch.New("payorch:50051", payorch.WithResend(wrong))
		failedAs(t, err, payorch.ErrArgument)
	}
}

func TestErrorsWithoutDetailsAreResentWhateverTheirCode(t *testing.T) {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		expected := 4
		if code == codes.Canceled || code == codes.Unauthenticated { // the caller has left, or the credential is wrong
			expected = 1
		}
		fake := payorchtest.New(t)
		fake.FailWithoutDetails(code, "no", payorchtest.Times(9))
		_, err := fake.Client().DecryptApplePay(t.Context(), payment(order))
		if failed := failedAs(t, err, payorch.ErrOutcomeUnknown); len(failed.Attempts) != expected || failed.Code != code {
			t.Errorf("%v", err)
		}
		for _, call := range fake.Calls() {
			if !proto.Equal(call.Request, payment(order)) {
				t.Errorf("%s: sent %v", code, call.Request)
			}
		}
	}
}

func TestResendIsLoggedWithoutTheMessage(t *testing.T) {
	fake := payorchtest.New(t)
	fake.FailWith("OVERLOADED")
	var out bytes.Buffer
	client := fake.Client(payorch.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
	if _, err := client.DecryptApplePay(payorch.WithTrackID(t.Context(), "ticket-1"), payment(order)); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"rpc=DecryptApplePay attempt=1 reason=OVERLOADED wait=", "request_id=" + order + " track_id=ticket-1"} {
		if !strings.Contains(out.String(), part) || strings.Contains(out.String(), "INV1") {
			t.Errorf("%s", out.String())
		}
	}
}

func supplying(tokens ...string) (payorch.TokenSource, *[]bool) {
	var asked []bool
	return func(_ context.Context, refresh bool) (string, error) {
		asked = append(asked, refresh)
		if len(asked) > len(tokens) {
			return "", io.ErrUnexpectedEOF
		}
		return tokens[len(asked)-1], nil
	}, &asked
}

func TestTokenIsAskedForAfreshWhenItIsNotAccepted(t *testing.T) {
	fake := payorchtest.New(t)
	fake.FailWith("CALLER_UNAUTHENTICATED")
	token, asked := supplying("token-1", "token-2")
	if _, err := fake.Client(payorch.WithToken(token), payorch.WithoutResend()).CreateSession(t.Context(), session("")); err != nil {
		t.Fatal(err)
	}
	if calls := fake.Calls(); !slices.Equal(*asked, []bool{false, true}) || calls[0].Token != "token-1" || calls[1].Token != "token-2" {
		t.Errorf("%v, %v", *asked, calls)
	}
}

func TestTokenThatStaysWrongEndsTheCall(t *testing.T) {
	for expected, tokens := range map[int][]string{1: {"a", "a"}, 2: {"a", "b"}} {
		fake := payorchtest.New(t)
		fake.FailWith("CALLER_UNAUTHENTICATED", payorchtest.Times(9))
		token, _ := supplying(tokens...)
		_, err := fake.Client(payorch.WithToken(token)).CreateSession(t.Context(), session(""))
		if failedAs(t, err, payorch.ErrNotSent); len(fake.Calls()) != expected {
			t.Errorf("%v: sent %d times", tokens, len(fake.Calls()))
		}
	}
}

func TestTokenThatNoHeaderCanCarryIsRefusedUnseen(t *testing.T) {
	fake := payorchtest.New(t)
	for _, wrong := range []string{"secret\n", " secret", "sec ret", "", "secrét", "secret\x00"} {
		token, _ := supplying(wrong)
		_, err := fake.Client(payorch.WithToken(token)).CreateSession(t.Context(), session(""))
		failed := failedAs(t, err, payorch.ErrArgument)
		if !strings.HasPrefix(failed.Error(), "token: ") || strings.Contains(failed.Error(), "sec") || len(fake.Calls()) > 0 {
			t.Errorf("%q: %v", wrong, failed)
		}
	}
}

func TestTokenThatCannotBeHadHidesNoDoubt(t *testing.T) {
	fake := payorchtest.New(t)
	token, _ := supplying("token")
	fake.FailWith("UPSTREAM_NO_ANSWER")
	_, err := fake.Client(payorch.WithToken(token)).DecryptApplePay(t.Context(), payment(order))
	if failedAs(t, err, payorch.ErrOutcomeUnknown); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the cause of %v is lost", err)
	}

	none, _ := supplying()
	_, err = fake.Client(payorch.WithToken(none)).DecryptApplePay(t.Context(), payment(order))
	failed := failedAs(t, err, payorch.ErrNotSent)
	if !errors.Is(err, io.ErrUnexpectedEOF) || failed.Code != codes.Unauthenticated || errors.Is(err, payorch.ErrArgument) {
		t.Errorf("%v", err)
	}
}

func TestTokenDoesNotLeaveTheMachineInPlaintext(t *testing.T) {
	token, _ := supplying("token")
	_, err := payorch.New("payorch.example:50051", payorch.WithPlaintext(), payorch.WithToken(token))
	if failedAs(t, err, payorch.ErrArgument); err.Error() != "token: it would be sent in plaintext beyond this machine; use TLS" {
		t.Errorf("%v", err)
	}
	for _, target := range []string{"localhost:1", "unix:/run/payorch"} {
		client, err := payorch.New(target, payorch.WithPlaintext(), payorch.WithToken(token))
		if err != nil {
			t.Fatal(err)
		}
		_ = client.Close()
	}
}

func TestArgumentsThatAreWrongAreNeverADoubt(t *testing.T) {
	fake := payorchtest.New(t)
	client := fake.Client()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for text, call := range map[string]func() error{
		"request: it is nil": func() error { return drop(client.CreateSession(t.Context(), nil)) },
		"deadline: it had passed before the call": func() error {
			return drop(client.CreateSession(expired, session("")))
		},
		`track_id: "tickét" is not 1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma`: func() error {
			return drop(client.CreateSession(payorch.WithTrackID(t.Context(), "tickét"), session("")))
		},
		`track_id: "" is not 1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma`: func() error {
			return drop(client.CreateSession(payorch.WithTrackID(t.Context(), ""), session("")))
		},
		`metadata: the value of "x-team" has a character that no header may contain`: func() error {
			return drop(client.CreateSession(metadata.AppendToOutgoingContext(t.Context(), "x-team", "a\nb"), session("")))
		},
	} {
		if failed := failedAs(t, call(), payorch.ErrArgument); failed.Error() != text || !errors.Is(failed, payorch.ErrNotSent) {
			t.Errorf("%v", failed)
		}
	}
	if len(fake.Calls()) > 0 {
		t.Errorf("%v", reasons(fake.Calls()))
	}
}

func drop[Answer any](_ Answer, err error) error { return err }

func TestMetadataOfTheCallerGoesAlong(t *testing.T) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	fake := payorchtest.New(t)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: 1})
	ctx := payorch.WithTrackID(trace.ContextWithSpanContext(t.Context(), span), "ticket-1")
	ctx = metadata.AppendToOutgoingContext(ctx, "x-team", "shop")
	if _, err := fake.Client().CreateSession(ctx, session("")); err != nil {
		t.Fatal(err)
	}
	call := fake.Calls()[0]
	for key, prefix := range map[string]string{
		"user-agent":  "payorch-go/" + payorch.Version + " grpc-go/",
		"traceparent": "00-01000000000000000000000000000000-0200000000000000-01",
		"x-team":      "shop",
	} {
		if values := call.Metadata.Get(key); len(values) != 1 || !strings.HasPrefix(values[0], prefix) {
			t.Errorf("%s: %v", key, values)
		}
	}
	if call.TrackID != "ticket-1" {
		t.Errorf("%s", call.TrackID)
	}
}

func TestCallWithoutADeadlineGetsOne(t *testing.T) {
	fake := payorchtest.New(t)
	for expected, options := range map[time.Duration][]payorch.Option{
		20 * time.Second: {payorch.WithoutResend()},
		50 * time.Second: {payorch.WithResend(payorch.Resend{Within: 50 * time.Second})},
	} {
		var left time.Duration
		see := func(ctx context.Context, method string, request, answer any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline).Round(10 * time.Second)
			return invoke(ctx, method, request, answer, connection, options...)
		}
		options = append(options, payorch.WithDialOptions(grpc.WithUnaryInterceptor(see)))
		if _, err := fake.Client(options...).CreateSession(t.Context(), session("")); err != nil || left != expected {
			t.Errorf("%s, not %s; %v", left, expected, err)
		}
	}
}

// onRecord does something with each record of a log.
type onRecord struct {
	slog.Handler
	do func()
}

func (onRecord) Enabled(context.Context, slog.Level) bool { return true }

func (o onRecord) Handle(context.Context, slog.Record) error {
	o.do()
	return nil
}

func TestCancellation(t *testing.T) {
	fake := payorchtest.New(t)
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	connected := fake.Client()
	if _, err := connected.CreateSession(t.Context(), session("")); err != nil {
		t.Fatal(err)
	}
	for state, client := range map[string]*payorch.Client{"connected": connected, "not connected": fake.Client()} {
		_, err := client.DecryptApplePay(gone, payment(order))
		failedAs(t, err, payorch.ErrNotSent)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, io.ErrClosedPipe) || len(fake.Calls()) > 1 {
			t.Errorf("before the call, %s: %v", state, err)
		}
	}

	within, cancelWithin := context.WithCancel(t.Context())
	stop := func(ctx context.Context, method string, request, answer any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		cancelWithin()
		return invoke(ctx, method, request, answer, connection, options...)
	}
	client := fake.Client(payorch.WithDialOptions(grpc.WithUnaryInterceptor(stop)))
	_, err := client.DecryptApplePay(within, payment(order))
	failed := failedAs(t, err, payorch.ErrOutcomeUnknown)
	if !errors.Is(err, context.Canceled) || failed.Code != codes.Canceled || len(failed.Attempts) != 1 {
		t.Errorf("within the call: %v", err)
	}

	waiting, cancelWaiting := context.WithCancel(t.Context())
	fake.FailWith("OVERLOADED", payorchtest.Times(9))
	client = fake.Client(payorch.WithLogger(slog.New(onRecord{slog.DiscardHandler, cancelWaiting}))) // before the wait
	_, err = client.DecryptApplePay(waiting, payment(order))
	failed = failedAs(t, err, payorch.ErrNotSent)
	if !errors.Is(err, context.Canceled) || failed.Reason != "OVERLOADED" || len(failed.Attempts) != 1 {
		t.Errorf("between two attempts: %v", err)
	}
}

func TestDeadlineThatPassesBeforeTheCallIsStartedLeavesNoDoubt(t *testing.T) {
	fake := payorchtest.New(t)
	late := func(ctx context.Context, _ bool) (string, error) {
		if deadline, _ := ctx.Deadline(); time.Until(deadline) < time.Second {
			<-ctx.Done() // as a supplier that takes too long
		}
		return "token", nil
	}
	client := fake.Client(payorch.WithToken(late))
	if _, err := client.CreateSession(t.Context(), session("")); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := client.DecryptApplePay(short, payment(order))
	failed := failedAs(t, err, payorch.ErrNotSent)
	if failed.Code != codes.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) || len(fake.Calls()) > 1 {
		t.Errorf("%v", err)
	}
}

func TestClosedClientSendsNothing(t *testing.T) {
	fake := payorchtest.New(t)
	client := fake.Client()
	_ = client.Close()
	_, err := client.CreateSession(t.Context(), session(""))
	if failedAs(t, err, payorch.ErrNotSent); !strings.HasPrefix(err.Error(), "CANCELLED: the client is closed (outcome NOT_SENT") {
		t.Errorf("%v", err)
	}
}

func TestOptionsThatContradictEachOtherAreNamed(t *testing.T) {
	_, both := payorch.New("payorch:50051", payorch.WithPlaintext(), payorch.WithTLSFiles(payorch.TLSFiles{}))
	_, config := payorch.New("payorch:50051", payorch.WithDialOptions(grpc.WithDefaultServiceConfig("nonsense")))
	for text, err := range map[string]error{"plaintext: TLS files are given as well; choose one": both, "options: ": config} {
		if failedAs(t, err, payorch.ErrArgument); !strings.HasPrefix(err.Error(), text) {
			t.Errorf("%v", err)
		}
	}
}

func TestLinkLeadsToTheCopyOfThePage(t *testing.T) {
	fake := payorchtest.New(t)
	fake.FailWith("PAYMENT_DECLINED")
	_, err := fake.Client(payorch.WithErrorsURL("https://wiki.example/payorch")).CreateSession(t.Context(), session(order))
	if !strings.HasSuffix(fmt.Sprint(err), ", https://wiki.example/payorch#payment_declined)") {
		t.Errorf("%v", err)
	}
}
