package payorch_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	payorch "payorch.internal/client"
	payorchv1 "payorch.internal/client/payorch/v1"
)

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	serial      int64
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	made := &authority{key: key, serial: 1}
	made.certificate = made.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, key)
	return made
}

func (a *authority) sign(t *testing.T, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	a.serial++
	template.SerialNumber, template.Subject = big.NewInt(a.serial), pkix.Name{CommonName: "payorch"}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent := template
	if a.certificate != nil {
		parent = a.certificate
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	check(t, err)
	parsed, err := x509.ParseCertificate(der)
	check(t, err)
	return parsed
}

// write writes the authority, and a certificate of it with its key.
func (a *authority) write(t *testing.T, folder string, template *x509.Certificate) payorch.TLSFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	files := payorch.TLSFiles{
		CAFile:          filepath.Join(folder, "ca.pem"),
		CertificateFile: filepath.Join(folder, "certificate.pem"),
		KeyFile:         filepath.Join(folder, "key.pem"),
	}
	writePEM(t, files.CAFile, "CERTIFICATE", a.certificate.Raw)
	writePEM(t, files.CertificateFile, "CERTIFICATE", a.sign(t, template, key).Raw)
	writePEM(t, files.KeyFile, "PRIVATE KEY", encoded)
	return files
}

func writePEM(t *testing.T, name, kind string, content []byte) {
	t.Helper()
	check(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
}

func ofServer() *x509.Certificate {
	return &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

// secured returns the files of a server's certificate, and what it speaks.
func (a *authority) secured(t *testing.T, template *x509.Certificate, clients tls.ClientAuthType) (payorch.TLSFiles, credentials.TransportCredentials) {
	t.Helper()
	files := a.write(t, t.TempDir(), template)
	pair, err := tls.LoadX509KeyPair(files.CertificateFile, files.KeyFile)
	check(t, err)
	trusted := x509.NewCertPool()
	trusted.AddCert(a.certificate)
	return files, credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: clients, ClientCAs: trusted, MinVersion: tls.VersionTLS12,
	})
}

// service answers sessions, and knows what certificate its caller showed.
type service struct {
	payorchv1.UnimplementedPaymentOrchestrationServiceServer
	answer func(context.Context) error
}

func (s service) CreateSession(ctx context.Context, _ *payorchv1.CreateSessionRequest) (*payorchv1.CreateSessionResponse, error) {
	if s.answer != nil {
		if err := s.answer(ctx); err != nil {
			return nil, err
		}
	}
	return &payorchv1.CreateSessionResponse{Session: &payorchv1.Session{Token: "token"}}, nil
}

// started starts a service on a free port, until the test ends; it returns its target.
func started(
	t *testing.T, speaks credentials.TransportCredentials, answer func(context.Context) error,
	status healthv1.HealthCheckResponse_ServingStatus,
) (string, *grpc.Server) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	server, reported := grpc.NewServer(grpc.Creds(speaks)), health.NewServer()
	payorchv1.RegisterPaymentOrchestrationServiceServer(server, service{answer: answer})
	reported.SetServingStatus(payorchv1.PaymentOrchestrationService_ServiceDesc.ServiceName, status)
	healthv1.RegisterHealthServer(server, reported)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String(), server
}

// serving returns the target of a service that serves.
func serving(t *testing.T, speaks credentials.TransportCredentials, answer func(context.Context) error) string {
	t.Helper()
	target, _ := started(t, speaks, answer, up)
	return target
}

const up = healthv1.HealthCheckResponse_SERVING

// called creates a session, sent once.
func called(t *testing.T, target string, options ...payorch.Option) error {
	t.Helper()
	client, err := payorch.New(target, append(options, payorch.WithoutResend())...)
	check(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = client.CreateSession(ctx, session(order))
	return err
}

func TestCallWithoutAConnectionWasNotSent(t *testing.T) {
	trusted := newAuthority(t)
	files, speaks := trusted.secured(t, ofServer(), tls.NoClientCert)
	_, wantsCertificate := trusted.secured(t, ofServer(), tls.RequireAndVerifyClientCert)
	_, ofAnother := trusted.secured(t, &x509.Certificate{DNSNames: []string{"payorch.example"}}, tls.NoClientCert)
	_, old := trusted.secured(t, &x509.Certificate{
		IPAddresses: ofServer().IPAddresses, NotAfter: time.Now().Add(-time.Minute),
	}, tls.NoClientCert)
	stranger := newAuthority(t).write(t, t.TempDir(), &x509.Certificate{})
	stranger.CAFile = files.CAFile
	starting, _ := started(t, insecure.NewCredentials(), nil, healthv1.HealthCheckResponse_NOT_SERVING)
	unresolved := manual.NewBuilderWithScheme("dns")
	unresolved.BuildCallback = func(_ resolver.Target, connection resolver.ClientConn, _ resolver.BuildOptions) {
		connection.ReportError(errors.New("lookup nowhere.invalid: no such host"))
	}
	onlyCA := payorch.WithTLSFiles(payorch.TLSFiles{CAFile: files.CAFile})
	plaintext := payorch.WithPlaintext()
	for hint, row := range map[string]struct {
		target  string
		options []payorch.Option
	}{
		"nothing listens there; check host and port": {"127.0.0.1:1", []payorch.Option{plaintext}},
		"the server closed it at once, as one that speaks TLS does; connect without payorch.WithPlaintext()": {
			serving(t, speaks, nil), []payorch.Option{plaintext},
		},
		"the server speaks no TLS; payorch.WithPlaintext() connects without, if that is intended": {
			serving(t, insecure.NewCredentials(), nil), nil,
		},
		"the server's certificate is not trusted; name its authority with payorch.WithTLSFiles": {
			serving(t, speaks, nil), nil,
		},
		"the server's certificate is for another host name":                        {serving(t, ofAnother, nil), []payorch.Option{onlyCA}},
		"the server's certificate has expired, or a clock is wrong":                {serving(t, old, nil), []payorch.Option{onlyCA}},
		"the server closed it at once; it may require a client certificate":        {serving(t, wantsCertificate, nil), []payorch.Option{onlyCA}},
		"the server closed it at once; it may not accept the client's certificate": {serving(t, wantsCertificate, nil), []payorch.Option{payorch.WithTLSFiles(stranger)}},
		"the host name is not known, or has no address": {
			"nowhere.invalid:1", []payorch.Option{plaintext, payorch.WithDialOptions(grpc.WithResolvers(unresolved))},
		},
		"the service is there, but does not serve yet, or no more": {starting, []payorch.Option{plaintext}},
	} {
		t.Run(hint, func(t *testing.T) {
			err := called(t, row.target, row.options...)
			failed := failedAs(t, err, payorch.ErrNotSent)
			if failed.Hint != hint || failed.Code != codes.Unavailable || failed.Reason != "" {
				t.Errorf("%q, %v", failed.Hint, err)
			}
			if !strings.HasPrefix(err.Error(), "UNAVAILABLE: no connection to "+row.target+": "+hint+" [gRPC: ") {
				t.Errorf("%v", err)
			}
			if failed.Advice != payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID {
				t.Errorf("%s", failed.Advice)
			}
		})
	}
}

func TestCallThatNoConnectionWasMadeForInTimeWasNotSent(t *testing.T) {
	silent := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	client, err := payorch.New("127.0.0.1:1", payorch.WithPlaintext(), payorch.WithDialOptions(silent))
	check(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = client.CreateSession(ctx, session(order))
	failed := failedAs(t, err, payorch.ErrNotSent)
	if failed.Hint != "it was not made in time" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestServiceThatHasLeftIsNotCalled(t *testing.T) {
	target, server := started(t, insecure.NewCredentials(), nil, up)
	left := make(chan struct{})
	leave := sync.OnceFunc(func() { close(left) })
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			leave()
		}
		return connection, err
	}
	client, err := payorch.New(target, payorch.WithPlaintext(), payorch.WithoutResend(),
		payorch.WithDialOptions(grpc.WithContextDialer(dial), grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: time.Hour, MaxDelay: time.Hour},
		})))
	check(t, err)
	defer client.Close()
	_, err = client.CreateSession(t.Context(), session(order))
	check(t, err)
	server.Stop()
	<-left // the channel has noticed, and has tried to connect again
	_, err = client.CreateSession(t.Context(), session(order))
	if failed := failedAs(t, err, payorch.ErrNotSent); !strings.HasPrefix(failed.Message, "no connection to "+target) {
		t.Errorf("%v", err)
	}
}

// However long an outage was: gRPC alone would wait for two minutes, and calls fail meanwhile. Four attempts would take it
// more than 4 s.
func TestConnectsAgainWithinSeconds(t *testing.T) {
	dials, fourth := 0, make(chan struct{})
	refusing := func(context.Context, string) (net.Conn, error) {
		if dials++; dials == 4 {
			close(fourth)
		}
		return nil, errors.New("refused")
	}
	client, err := payorch.New("127.0.0.1:1", payorch.WithPlaintext(), payorch.WithoutResend(),
		payorch.WithDialOptions(grpc.WithContextDialer(refusing)))
	check(t, err)
	defer client.Close()
	_, err = client.CreateSession(t.Context(), session(order))
	failedAs(t, err, payorch.ErrNotSent)
	select {
	case <-fourth:
	case <-time.After(3 * time.Second):
		t.Error("it waits for longer")
	}
}

func TestConnectionThatBreaksWithinACallLeavesItInDoubt(t *testing.T) {
	claims := func(context.Context) error {
		return status.Error(codes.Unavailable, "connection error: dial tcp: connect: connection refused")
	}
	err := called(t, serving(t, insecure.NewCredentials(), claims), payorch.WithPlaintext())
	if failed := failedAs(t, err, payorch.ErrOutcomeUnknown); failed.Hint != "" {
		t.Errorf("%v", err)
	}
}

func TestTokenIsNotSentOverCredentialsThatAreNotTLS(t *testing.T) {
	token := func(context.Context, bool) (string, error) { return "token", nil }
	received := false
	target := serving(t, insecure.NewCredentials(), func(context.Context) error {
		received = true
		return nil
	})
	smuggled := payorch.WithDialOptions(grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err := called(t, target, payorch.WithToken(token), smuggled); err == nil || received {
		t.Errorf("the token was sent: %v", err)
	}
}

func TestFilesThatCannotBeUsedAreNamed(t *testing.T) {
	folder := t.TempDir()
	files := newAuthority(t).write(t, folder, ofServer())
	other := newAuthority(t).write(t, t.TempDir(), ofServer())
	nonsense := filepath.Join(folder, "nonsense.pem")
	check(t, os.WriteFile(nonsense, []byte("nonsense"), 0o600))
	damaged := filepath.Join(folder, "damaged.pem")
	writePEM(t, damaged, "CERTIFICATE", []byte("nonsense"))
	for text, wrong := range map[string]payorch.TLSFiles{
		"tls: open /nowhere/ca.pem: no such file or directory":                     {CAFile: "/nowhere/ca.pem"},
		"tls: the authorities in " + nonsense + " cannot be read: there is no":     {CAFile: nonsense},
		"tls: the authorities in " + damaged + " cannot be read: x509: ":           {CAFile: damaged},
		"tls: certificate and key come together":                                   {CertificateFile: files.CertificateFile},
		"tls: the certificate in " + nonsense + " and the key in " + files.KeyFile: {CertificateFile: nonsense, KeyFile: files.KeyFile},
		"tls: the certificate in " + files.CertificateFile + " and the key in " + other.KeyFile + " cannot be used: tls: private key does not match public key": {
			CertificateFile: files.CertificateFile, KeyFile: other.KeyFile,
		},
	} {
		_, err := payorch.New("payorch:50051", payorch.WithTLSFiles(wrong))
		if failed := failedAs(t, err, payorch.ErrArgument); !strings.HasPrefix(failed.Error(), text) {
			t.Errorf("%v", failed)
		}
	}
	_, err := payorch.New("payorch:50051", payorch.WithTLSFiles(payorch.TLSFiles{CAFile: "/nowhere/ca.pem"}))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestRenewedCertificatesAreUsedForNewConnections(t *testing.T) {
	first, second, folder := newAuthority(t), newAuthority(t), t.TempDir()
	files := first.write(t, folder, ofServer())
	_, ofFirst := first.secured(t, ofServer(), tls.RequireAndVerifyClientCert)
	_, ofSecond := second.secured(t, ofServer(), tls.RequireAndVerifyClientCert)
	targets := make(chan string, 1)
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		select {
		case target := <-targets:
			return new(net.Dialer).DialContext(ctx, "tcp", target)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var log bytes.Buffer
	client, err := payorch.New("127.0.0.1:1", payorch.WithTLSFiles(files),
		payorch.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), payorch.WithDialOptions(grpc.WithContextDialer(dial)))
	check(t, err)
	defer client.Close()
	// reconnected makes a call over a new connection to a service that wants a certificate of its own authority.
	reconnected := func(speaks credentials.TransportCredentials) {
		t.Helper()
		target, server := started(t, speaks, nil, up)
		targets <- target
		_, err := client.CreateSession(t.Context(), session(order))
		check(t, err)
		server.Stop() // and the connection with it
	}

	reconnected(ofFirst)
	check(t, os.WriteFile(files.KeyFile, []byte("half a"), 0o600)) // as while it is being replaced
	reconnected(ofFirst)
	if !strings.Contains(log.String(), "the certificates are not renewed") {
		t.Errorf("%s", log.String())
	}
	second.write(t, folder, ofServer())
	reconnected(ofSecond)
}
