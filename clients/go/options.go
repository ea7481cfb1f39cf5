package payorch

import (
	"context"
	_ "embed"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // healthCheckConfig has no effect without it
	"google.golang.org/grpc/keepalive"

	"payorch.internal/client/internal/hooks"
)

// ServiceConfig is the published gRPC service config: round robin, health, the retries that the contract allows, and
// their throttling. [Options] puts it in force.
//
//go:embed service_config.json
var ServiceConfig string

// longestConnecting is how long an attempt to connect may take.
const longestConnecting = 20 * time.Second

// reconnects says how soon is connected again. Calls fail meanwhile, and gRPC's own two minutes would make an outage
// longer.
var reconnects = backoff.Config{
	BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second,
}

// Options returns what every connection to the service wants: the service config, which DNS cannot replace, pings that
// find a connection whose other end is gone (the service allows one every 10 s), attempts to connect every second, and
// the user agent. [New] applies them; they are here for who uses the generated stubs without a [Client], and has to add
// credentials.
func Options() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultServiceConfig(ServiceConfig),
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnects, MinConnectTimeout: longestConnecting}),
		grpc.WithUserAgent("payorch-go/" + Version),
	}
}

// Option says how a client connects and calls.
type Option func(*settings)

type settings struct {
	plaintext bool
	files     *TLSFiles
	token     TokenSource
	resend    *Resend
	errorsURL string
	logger    *slog.Logger
	dial      []grpc.DialOption
	timing    timing
	inProcess bool
}

// WithPlaintext connects without TLS: on this machine, or in a mesh that secures connections itself.
func WithPlaintext() Option { return func(s *settings) { s.plaintext = true } }

// WithTLSFiles says what to trust and to show in TLS.
func WithTLSFiles(files TLSFiles) Option { return func(s *settings) { s.files = &files } }

// WithToken sends the caller's JSON Web Token with every attempt. It is never sent in plaintext beyond this machine.
func WithToken(token TokenSource) Option { return func(s *settings) { s.token = token } }

// WithResend says when calls are sent again.
func WithResend(resend Resend) Option { return func(s *settings) { s.resend = &resend } }

// WithoutResend leaves it to gRPC's retries, by the service config, to send calls again.
func WithoutResend() Option { return func(s *settings) { s.resend = nil } }

// WithErrorsURL says where the texts of errors link to: your copy of docs/errors.md.
func WithErrorsURL(url string) Option { return func(s *settings) { s.errorsURL = url } }

// WithLogger says where resends and certificates that are not renewed are logged; [slog.Default] unless given.
func WithLogger(logger *slog.Logger) Option { return func(s *settings) { s.logger = logger } }

// WithDialOptions adds gRPC's own options, such as interceptors and stats handlers, over those of this package.
// Interceptors see every attempt, and grpc.health.v1.Health/Check where the client finds out why there is no
// connection.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

func init() {
	hooks.InProcess = Option(func(s *settings) {
		s.inProcess, s.plaintext = true, true
		s.timing.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	})
}

// chosen returns what a caller wants. The error is that of an argument.
func chosen(options []Option) (*settings, error) {
	made := &settings{
		resend: new(Resend), errorsURL: defaultErrorsURL, logger: slog.Default(), timing: systemTiming(),
	}
	for _, option := range options {
		option(made)
	}
	if made.plaintext && made.files != nil {
		return nil, argument("plaintext: TLS files are given as well; choose one")
	}
	if made.resend == nil {
		return made, nil
	}
	policy, err := made.resend.checked()
	made.resend = &policy
	return made, err
}

// connect returns what sends the calls of a client. The error is that of an argument.
func (s *settings) connect(target string, over ...grpc.DialOption) (*sender, error) {
	address, err := resolved(target)
	if err != nil {
		return nil, err
	}
	local := s.inProcess || isLoopback(address)
	if s.plaintext && s.token != nil && !local {
		return nil, argument("token: it would be sent in plaintext beyond this machine; use TLS")
	}
	secured, err := s.credentials()
	if err != nil {
		return nil, err
	}
	dial := append(Options(), grpc.WithTransportCredentials(secured))
	if s.resend != nil {
		dial = append(dial, grpc.WithDisableRetry())
	}
	connection, err := grpc.NewClient(address, append(append(dial, over...), s.dial...)...)
	if err != nil {
		return nil, argument("options: %v", err).because(err)
	}
	return &sender{
		connection:       connection,
		endpoint:         endpoint{target, s.plaintext, s.files != nil && s.files.CertificateFile != ""},
		token:            s.token,
		tokenInPlaintext: local && s.plaintext,
		policy:           s.resend,
		timing:           s.timing,
		errorsURL:        s.errorsURL,
		logger:           s.logger,
	}, nil
}

func (s *settings) credentials() (credentials.TransportCredentials, error) {
	if s.plaintext {
		return insecure.NewCredentials(), nil
	}
	var files TLSFiles
	if s.files != nil {
		files = *s.files
	}
	return newRenewedTLS(files, s.logger)
}
