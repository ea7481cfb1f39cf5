package payorchtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	payorch "payorch.internal/client"
	"payorch.internal/client/internal/hooks"
	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	bufferSize = 1 << 20
	target     = "passthrough:///payorchtest"
)

// Call is a call that was received.
type Call struct {
	// RPC is the name of the RPC, such as CreateSession.
	RPC string
	// Request is its message.
	Request proto.Message
	// RequestID is that of its intent; empty where the RPC has none.
	RequestID string
	// TrackID is the caller's own Zuora-Track-Id, or the one that was made.
	TrackID string
	// Token is the JSON Web Token; empty if there was none.
	Token string
	// Metadata is all that came along.
	Metadata metadata.MD
	// Reason is why it failed; empty if it succeeded.
	Reason string
	// Executed is whether it was executed, rather than refused or answered from the record.
	Executed bool

	failure *failure
}

// Fake is a double of the service. All of it may be used while calls are in progress.
type Fake struct {
	t        testing.TB
	listener *bufconn.Listener

	mutex  sync.Mutex
	script script
	calls  []Call
}

// New returns a double of the service that ends with the test.
func New(t testing.TB) *Fake {
	t.Helper()
	fake := &Fake{t: t, listener: bufconn.Listen(bufferSize), script: script{records: map[intent]*record{}}}
	server := grpc.NewServer(grpc.UnaryInterceptor(fake.answer))
	payorchv1.RegisterPaymentOrchestrationServiceServer(server, payments{})
	payorchv1.RegisterDiagnosticsServiceServer(server, diagnostics{})
	serving := health.NewServer()
	serving.SetServingStatus(payorchv1.PaymentOrchestrationService_ServiceDesc.ServiceName, healthv1.HealthCheckResponse_SERVING)
	healthv1.RegisterHealthServer(server, serving)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(fake.listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Errorf("payorchtest: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return fake
}

// Client returns a client of the double, which is closed with the test. It resends without waiting, and logs nothing
// unless it is given a logger.
func (f *Fake) Client(options ...payorch.Option) *payorch.Client {
	f.t.Helper()
	client, err := payorch.New(target, f.with(options)...)
	if err != nil {
		f.t.Fatalf("payorchtest: %v", err)
	}
	f.t.Cleanup(func() { _ = client.Close() })
	return client
}

// Diagnostics returns a client for operators of the double, as [Fake.Client] does.
func (f *Fake) Diagnostics(options ...payorch.Option) *payorch.DiagnosticsClient {
	f.t.Helper()
	client, err := payorch.NewDiagnostics(target, f.with(options)...)
	if err != nil {
		f.t.Fatalf("payorchtest: %v", err)
	}
	f.t.Cleanup(func() { _ = client.Close() })
	return client
}

func (f *Fake) with(options []payorch.Option) []payorch.Option {
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return f.listener.DialContext(ctx) }
	ours := []payorch.Option{
		hooks.InProcess.(payorch.Option),
		payorch.WithLogger(slog.New(slog.DiscardHandler)),
		payorch.WithDialOptions(grpc.WithContextDialer(dial)),
	}
	return append(ours, options...)
}

// FailWith makes the next call fail as the service does, after those of earlier plans. The reason is the name of an
// ErrorReason without its prefix, such as PAYMENT_DECLINED; outcome, advice and details are those of the service.
// A reason that does not exist, or contradicts the options, ends the test.
func (f *Fake) FailWith(reason string, options ...FailOption) {
	f.t.Helper()
	planned := &plan{left: 1, failure: &failure{reason: reason}}
	for _, option := range options {
		option(planned)
	}
	if err := planned.failure.check(); err != nil {
		f.t.Fatalf("payorchtest: %v", err)
	}
	f.plan(planned)
}

// FailWithoutDetails makes the next call fail as with a proxy between client and service: nothing is known of its
// outcome. Of the options, [Times] and [OnRPC] apply.
func (f *Fake) FailWithoutDetails(code codes.Code, message string, options ...FailOption) {
	planned := &plan{left: 1, failure: &failure{}}
	for _, option := range options {
		option(planned)
	}
	planned.failure, planned.nothing = nil, status.New(code, message)
	f.plan(planned)
}

func (f *Fake) plan(planned *plan) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.script.plans = append(f.script.plans, planned)
}

// Calls returns every call, in the order in which they were answered.
func (f *Fake) Calls() []Call {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return slices.Clone(f.calls)
}

// Executed returns the calls that were executed, each intent once.
func (f *Fake) Executed() []Call {
	return slices.DeleteFunc(f.Calls(), func(call Call) bool { return !call.Executed })
}

// answer answers a call, in the place of the methods of the servers.
func (f *Fake) answer(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	answer, err := handler(ctx, request)
	if answer, ok := answer.(proto.Message); ok && err == nil && isOurs(answer) {
		return f.answered(ctx, request.(proto.Message), info.FullMethod, answer)
	}
	return answer, err
}

func isOurs(message proto.Message) bool {
	return strings.HasPrefix(string(message.ProtoReflect().Descriptor().FullName()), "payorch.")
}

func (f *Fake) answered(ctx context.Context, request proto.Message, path string, answer proto.Message) (any, error) {
	call := received(ctx, request, path)
	f.mutex.Lock()
	err := f.script.answer(&call, answer)
	f.calls = append(f.calls, call)
	f.mutex.Unlock()
	trailers := metadata.Pairs("zuora-track-id", call.TrackID)
	if failed := call.failure; failed != nil {
		trailers.Set("payorch-outcome", strings.TrimPrefix(failed.outcome().String(), "OUTCOME_"))
		trailers.Set("payorch-advice", strings.TrimPrefix(failed.advice(call.RPC).String(), "ADVICE_"))
	}
	if trailersErr := grpc.SetTrailer(ctx, trailers); trailersErr != nil {
		return nil, trailersErr
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// received returns a call as it came.
func received(ctx context.Context, request proto.Message, path string) Call {
	came, _ := metadata.FromIncomingContext(ctx)
	call := Call{RPC: path[strings.LastIndexByte(path, '/')+1:], Request: request, Metadata: came}
	if named, ok := request.(interface{ GetRequestId() string }); ok {
		call.RequestID = named.GetRequestId()
	}
	if values := came.Get("authorization"); len(values) > 0 {
		call.Token = strings.TrimPrefix(values[0], "Bearer ")
	}
	if values := came.Get("zuora-track-id"); len(values) > 0 {
		call.TrackID = values[0]
	} else {
		call.TrackID = madeTrackID()
	}
	return call
}

func madeTrackID() string {
	var random [24]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:16]) + "-" + hex.EncodeToString(random[16:])
}
