package payorch

import (
	"context"

	"google.golang.org/grpc"

	payorchv1 "payorch.internal/client/payorch/v1"
)

// Client calls the service. It is safe to be used by many goroutines.
//
// A call takes at most as long as the deadline of its context, with all its attempts and waits; without one, 20 s or
// what [WithResend] says. No request is ever changed. Every error is an [*Error].
type Client struct {
	sender *sender
	stubs  payorchv1.PaymentOrchestrationServiceClient
}

// New returns a client, whose first call connects, by TLS unless [WithPlaintext] is given. Close it at the end.
//
// The target is host:port, each of whose addresses is used in turn, or a target of gRPC with the scheme of a registered
// resolver. The error is an [*Error] that is [ErrArgument]: it is no target, a file cannot be read or used, TLS and
// plaintext are both asked for, or a token would be sent in plaintext beyond this machine.
func New(target string, options ...Option) (*Client, error) {
	settings, err := chosen(options)
	if err != nil {
		return nil, err
	}
	sender, err := settings.connect(target)
	if err != nil {
		return nil, err
	}
	return &Client{sender, payorchv1.NewPaymentOrchestrationServiceClient(sender.connection)}, nil
}

// Close ends the connections; calls in progress are cancelled.
func (c *Client) Close() error { return c.sender.connection.Close() }

// CreateSession creates a payment session for Zuora's JavaScript library. Without a request id it gets a fresh one,
// which the answer names.
func (c *Client) CreateSession(
	ctx context.Context, request *payorchv1.CreateSessionRequest, options ...grpc.CallOption,
) (*payorchv1.CreateSessionResponse, error) {
	return send(ctx, c.sender, "CreateSession", c.stubs.CreateSession, request, options)
}

// DecryptApplePay creates a payment method of an Apple Pay token and, if asked, pays an invoice. A request that pays one
// needs a request id of the caller's; without one the error is [ErrArgument].
func (c *Client) DecryptApplePay(
	ctx context.Context, request *payorchv1.DecryptApplePayRequest, options ...grpc.CallOption,
) (*payorchv1.DecryptApplePayResponse, error) {
	return send(ctx, c.sender, "DecryptApplePay", c.stubs.DecryptApplePay, request, options)
}

// CreatePaymentMethod creates a payment method and, with an Apple Pay token, pays an invoice if asked. A request that
// pays one needs a request id of the caller's; without one the error is [ErrArgument].
func (c *Client) CreatePaymentMethod(
	ctx context.Context, request *payorchv1.CreatePaymentMethodRequest, options ...grpc.CallOption,
) (*payorchv1.CreatePaymentMethodResponse, error) {
	return send(ctx, c.sender, "CreatePaymentMethod", c.stubs.CreatePaymentMethod, request, options)
}

// GetIntent returns what became of an intent; it sends nothing to Zuora. A request without a request id is
// [ErrArgument].
func (c *Client) GetIntent(
	ctx context.Context, request *payorchv1.GetIntentRequest, options ...grpc.CallOption,
) (*payorchv1.GetIntentResponse, error) {
	return send(ctx, c.sender, "GetIntent", c.stubs.GetIntent, request, options)
}

// DiagnosticsClient asks the service's listener for operators. It is safe to be used by many goroutines.
type DiagnosticsClient struct {
	sender *sender
	stubs  payorchv1.DiagnosticsServiceClient
}

// NewDiagnostics returns a client of the listener for operators, which reports no health; arguments and errors are those
// of [New]. Close it at the end.
func NewDiagnostics(target string, options ...Option) (*DiagnosticsClient, error) {
	settings, err := chosen(options)
	if err != nil {
		return nil, err
	}
	sender, err := settings.connect(target, grpc.WithDisableHealthCheck())
	if err != nil {
		return nil, err
	}
	return &DiagnosticsClient{sender, payorchv1.NewDiagnosticsServiceClient(sender.connection)}, nil
}

// Close ends the connections; calls in progress are cancelled.
func (c *DiagnosticsClient) Close() error { return c.sender.connection.Close() }

// ExplainRoute explains where a call would go and why.
func (c *DiagnosticsClient) ExplainRoute(
	ctx context.Context, request *payorchv1.ExplainRouteRequest, options ...grpc.CallOption,
) (*payorchv1.ExplainRouteResponse, error) {
	return send(ctx, c.sender, "ExplainRoute", c.stubs.ExplainRoute, request, options)
}

// GetCall returns the records of the calls with a Track-Id.
func (c *DiagnosticsClient) GetCall(
	ctx context.Context, request *payorchv1.GetCallRequest, options ...grpc.CallOption,
) (*payorchv1.GetCallResponse, error) {
	return send(ctx, c.sender, "GetCall", c.stubs.GetCall, request, options)
}

// GetQuota returns how much of Zuora's limits is left.
func (c *DiagnosticsClient) GetQuota(
	ctx context.Context, request *payorchv1.GetQuotaRequest, options ...grpc.CallOption,
) (*payorchv1.GetQuotaResponse, error) {
	return send(ctx, c.sender, "GetQuota", c.stubs.GetQuota, request, options)
}
