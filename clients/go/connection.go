package payorch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// longestProbe is how long is waited for what gRPC says of a connection that failed; it knows by then.
const longestProbe = time.Second

// endpoint is what a client connects to, as far as it matters for what may be wrong.
type endpoint struct {
	target           string
	plaintext        bool
	showsCertificate bool
}

// connected waits for a connection. Without one it returns how the attempt failed: the call is not started then, so it
// was provably never sent. What gRPC says of a call that was started proves nothing.
func (e endpoint) connected(ctx context.Context, connection *grpc.ClientConn) *attempt {
	for ctx.Err() == nil {
		state := connection.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Shutdown:
			return notStarted(codes.Canceled, "the client is closed", "")
		case connectivity.TransientFailure:
			text := whyNotConnected(ctx, connection)
			if connection.GetState() == connectivity.Ready {
				return nil
			}
			return e.notConnected(text)
		case connectivity.Idle:
			connection.Connect()
		}
		if !connection.WaitForStateChange(ctx, state) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return e.notConnected("", causesOf(ctx)...)
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return notStarted(codes.Canceled, "the call was cancelled before it was started", "", causesOf(ctx)...)
	}
	return notStarted(codes.DeadlineExceeded, "the deadline passed before the call was started", "", causesOf(ctx)...)
}

// whyNotConnected returns what gRPC says of a connection that failed; empty if it does not say it in time. A check of
// health moves nothing, and needs no token.
func whyNotConnected(ctx context.Context, connection *grpc.ClientConn) string {
	ctx, cancel := context.WithTimeout(ctx, longestProbe)
	defer cancel()
	_, err := healthv1.NewHealthClient(connection).Check(ctx, &healthv1.HealthCheckRequest{})
	if seen := status.Convert(err); seen.Code() == codes.Unavailable {
		return seen.Message()
	}
	return ""
}

func notStarted(code codes.Code, message, hint string, causes ...error) *attempt {
	return &attempt{
		CallError: CallError{
			Code:    code,
			Message: message,
			Outcome: payorchv1.Outcome_OUTCOME_NOT_SENT,
			Advice:  payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID,
			Hint:    hint,
		},
		causes: causes,
	}
}

// notConnected returns how an attempt without a connection failed.
func (e endpoint) notConnected(text string, causes ...error) *attempt {
	message, hint := "no connection to "+e.target, e.hint(text)
	if hint != "" {
		message += ": " + hint
	}
	if text != "" {
		message += fmt.Sprintf(" [gRPC: %s]", text)
	}
	return notStarted(codes.Unavailable, message, hint, causes...)
}

// hint returns what may be wrong, from the words of gRPC and of the standard library; empty if they are not known.
func (e endpoint) hint(text string) string {
	if text == "" {
		return "it was not made in time"
	}
	for _, known := range []struct{ piece, hint string }{
		{"connection refused", "nothing listens there; check host and port"},
		{"not look like a TLS handshake", "the server speaks no TLS; payorch.WithPlaintext() connects without, if that is intended"},
		{"unknown authority", "the server's certificate is not trusted; name its authority with payorch.WithTLSFiles"},
		{"certificate is valid for", "the server's certificate is for another host name"},
		{"doesn't contain any", "the server's certificate is for another host name"},
		{"expired or is not yet valid", "the server's certificate has expired, or a clock is wrong"},
		// Round robin drops the resolver's own words.
		{"no children to pick from", "the host name is not known, or has no address"},
		{"no such host", "the host name is not known, or has no address"},
		{"health check failed", "the service is there, but does not serve yet, or no more"},
		{"remote error: tls", e.hintOfClosing()},
		{"server preface", e.hintOfClosing()},
		{"connection reset", e.hintOfClosing()},
		{"broken pipe", e.hintOfClosing()},
		{"EOF", e.hintOfClosing()},
	} {
		if strings.Contains(text, known.piece) {
			return known.hint
		}
	}
	return ""
}

func (e endpoint) hintOfClosing() string {
	switch {
	case e.plaintext:
		return "the server closed it at once, as one that speaks TLS does; connect without payorch.WithPlaintext()"
	case e.showsCertificate:
		return "the server closed it at once; it may not accept the client's certificate"
	}
	return "the server closed it at once; it may require a client certificate"
}

// causesOf returns why a context ended; nothing if it did not.
func causesOf(ctx context.Context) []error {
	err, cause := ctx.Err(), context.Cause(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(cause, err):
		return []error{cause}
	}
	return []error{err, cause}
}
