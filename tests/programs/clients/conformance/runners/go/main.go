// Makes the calls of cases with the Go client: one JSON line per case in, one out. It compares nothing: what is right
// stands in cases.yaml alone.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	payorch "payorch.internal/client"
	v1 "payorch.internal/client/payorch/v1"
)

type theCase struct {
	Case    string     `json:"case"`
	Connect connection `json:"connect"`
	Calls   []call     `json:"calls"`
}

type connection struct {
	Target    string          `json:"target"`
	Operators string          `json:"operators"`
	Plaintext bool            `json:"plaintext"`
	TLS       *files          `json:"tls"`
	Tokens    []string        `json:"tokens"`
	Resend    json.RawMessage `json:"resend"`
}

type files struct {
	CA          string `json:"ca_file"`
	Certificate string `json:"certificate_file"`
	Key         string `json:"key_file"`
}

type call struct {
	RPC          string   `json:"rpc"`
	Request      []byte   `json:"request"`
	DeadlineS    *float64 `json:"deadline_s"`
	TrackID      string   `json:"track_id"`
	CancelAfterS *float64 `json:"cancel_after_s"`
	Reuse        bool     `json:"reuse"`
}

type observation struct {
	Case         string           `json:"case"`
	ConnectError *string          `json:"connect_error"`
	TokenCalls   []bool           `json:"token_calls"`
	Calls        []map[string]any `json:"calls"`
}

// tokens supplies the tokens of a case: the first one, and with each request to refresh the next.
type tokens struct {
	left  []string
	asked []bool
}

func (t *tokens) next(_ context.Context, refresh bool) (string, error) {
	t.asked = append(t.asked, refresh)
	if refresh && len(t.left) > 1 {
		t.left = t.left[1:]
	}
	return t.left[0], nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var asked theCase
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(run(asked)); err != nil {
			panic(err)
		}
	}
}

func run(asked theCase) observation {
	supply := &tokens{left: asked.Connect.Tokens}
	seen := observation{Case: asked.Case, TokenCalls: []bool{}, Calls: []map[string]any{}}
	options := asked.Connect.options(supply)
	client, err := payorch.New(asked.Connect.Target, options...)
	if err != nil {
		text := err.Error()
		seen.ConnectError = &text
		return seen
	}
	defer client.Close()
	var request proto.Message
	for _, planned := range asked.Calls {
		if !planned.Reuse {
			request = message(planned)
		}
		result := planned.make(client, asked.Connect.Operators, options, request)
		after, _ := proto.MarshalOptions{Deterministic: true}.Marshal(request)
		result["request_after"] = after
		seen.Calls = append(seen.Calls, result)
	}
	seen.TokenCalls = append(seen.TokenCalls, supply.asked...)
	return seen
}

// options returns those of a client; what a case does not name is left to it.
func (c connection) options(supply *tokens) []payorch.Option {
	chosen := []payorch.Option{payorch.WithLogger(slog.New(slog.DiscardHandler))}
	if c.Plaintext {
		chosen = append(chosen, payorch.WithPlaintext())
	}
	if c.TLS != nil {
		chosen = append(chosen, payorch.WithTLSFiles(payorch.TLSFiles{
			CAFile: c.TLS.CA, CertificateFile: c.TLS.Certificate, KeyFile: c.TLS.Key,
		}))
	}
	if c.Tokens != nil {
		chosen = append(chosen, payorch.WithToken(supply.next))
	}
	var resend *struct {
		Attempts int     `json:"attempts"`
		WithinS  float64 `json:"within_s"`
	}
	switch {
	case string(c.Resend) == "false":
		chosen = append(chosen, payorch.WithoutResend())
	case json.Unmarshal(c.Resend, &resend) == nil && resend != nil:
		chosen = append(chosen, payorch.WithResend(payorch.Resend{
			Attempts: resend.Attempts, Within: seconds(resend.WithinS),
		}))
	}
	return chosen
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func message(planned call) proto.Message {
	made := map[string]proto.Message{
		"CreateSession":       new(v1.CreateSessionRequest),
		"DecryptApplePay":     new(v1.DecryptApplePayRequest),
		"CreatePaymentMethod": new(v1.CreatePaymentMethodRequest),
		"GetIntent":           new(v1.GetIntentRequest),
		"ExplainRoute":        new(v1.ExplainRouteRequest),
		"GetCall":             new(v1.GetCallRequest),
		"GetQuota":            new(v1.GetQuotaRequest),
	}[planned.RPC]
	if err := proto.Unmarshal(planned.Request, made); err != nil {
		panic(err)
	}
	return made
}

func (c call) make(client *payorch.Client, operators string, options []payorch.Option, request proto.Message) map[string]any {
	ctx := payorch.WithTrackID(context.Background(), c.TrackID)
	if c.DeadlineS != nil {
		limited, cancel := context.WithTimeout(ctx, seconds(*c.DeadlineS))
		defer cancel()
		ctx = limited
	}
	if c.CancelAfterS != nil {
		cancelled, cancel := context.WithCancel(ctx)
		defer time.AfterFunc(seconds(*c.CancelAfterS), cancel).Stop()
		ctx = cancelled
	}
	switch request := request.(type) {
	case *v1.CreateSessionRequest:
		return made(ctx, client.CreateSession, request)
	case *v1.DecryptApplePayRequest:
		return made(ctx, client.DecryptApplePay, request)
	case *v1.CreatePaymentMethodRequest:
		return made(ctx, client.CreatePaymentMethod, request)
	case *v1.GetIntentRequest:
		return made(ctx, client.GetIntent, request)
	}
	return asked(ctx, operators, options, request)
}

// asked makes a call to the listener for operators.
func asked(ctx context.Context, operators string, options []payorch.Option, request proto.Message) map[string]any {
	client, err := payorch.NewDiagnostics(operators, options...)
	if err != nil {
		return failed(err)
	}
	defer client.Close()
	switch request := request.(type) {
	case *v1.ExplainRouteRequest:
		return made(ctx, client.ExplainRoute, request)
	case *v1.GetCallRequest:
		return made(ctx, client.GetCall, request)
	case *v1.GetQuotaRequest:
		return made(ctx, client.GetQuota, request)
	}
	panic(fmt.Sprintf("no RPC takes a %T", request))
}

func made[Request, Answer proto.Message](
	ctx context.Context, method func(context.Context, Request, ...grpc.CallOption) (Answer, error), request Request,
) map[string]any {
	answer, err := method(ctx, request)
	if err != nil {
		return failed(err)
	}
	packed, err := proto.Marshal(answer)
	if err != nil {
		panic(err)
	}
	return map[string]any{"kind": "ok", "answer": packed}
}

// failed returns what is seen of an error.
func failed(err error) map[string]any {
	if errors.Is(err, payorch.ErrArgument) {
		return map[string]any{"kind": "argument", "text": err.Error()}
	}
	var seen *payorch.Error
	if !errors.As(err, &seen) {
		panic(err)
	}
	violations := [][]string{}
	for _, violation := range seen.Violations {
		violations = append(violations, []string{violation.Field, violation.Rule, violation.Description})
	}
	existing := seen.CallOutcome.GetExisting()
	return map[string]any{
		"kind":          kind(err),
		"text":          err.Error(),
		"code":          code.Code(seen.Code).String(),
		"reason":        seen.Reason,
		"outcome":       seen.Outcome.String(),
		"advice":        seen.Advice.String(),
		"message":       seen.Message,
		"hint":          seen.Hint,
		"violations":    violations,
		"metadata":      seen.Metadata,
		"retry_delay_s": seen.RetryDelay.Seconds(),
		"resend_before": !seen.ResendBeforeTime.IsZero(),
		"track_id":      seen.TrackID,
		"request_id":    seen.RequestID,
		"zuora_codes":   seen.ZuoraCodes,
		"existing":      []string{existing.GetPaymentMethodId(), existing.GetPaymentId()},
		"attempts":      len(seen.Attempts),
	}
}

func kind(err error) string {
	for kind, name := range map[error]string{
		payorch.ErrNotSent:        "not_sent",
		payorch.ErrRefused:        "refused",
		payorch.ErrPartial:        "partial",
		payorch.ErrOutcomeUnknown: "unknown",
	} {
		if errors.Is(err, kind) {
			return name
		}
	}
	panic(err)
}
