package payorch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"

	"google.golang.org/grpc/credentials"
)

var errNoCertificate = errors.New("there is no certificate in PEM form")

// TLSFiles names PEM files. They are read again for every new connection, so certificates may be renewed while the
// process runs.
type TLSFiles struct {
	// CAFile has the authorities to trust; empty: those of the system.
	CAFile string
	// CertificateFile has the client's certificate, intermediate ones after it; empty: none is shown.
	CertificateFile string
	// KeyFile has its private key.
	KeyFile string
}

// renewedTLS is TLS with the current contents of files. Contents that are not valid, as while they are being replaced,
// change nothing.
type renewedTLS struct {
	files  TLSFiles
	logger *slog.Logger
	mutex  sync.Mutex
	read   [3][]byte
	config *tls.Config
}

// newRenewedTLS reads the files. The error is that of an argument.
func newRenewedTLS(files TLSFiles, logger *slog.Logger) (*renewedTLS, error) {
	made := &renewedTLS{files: files, logger: logger}
	if err := made.reread(); err != nil {
		return nil, err
	}
	return made, nil
}

// ClientHandshake makes a connection secure, with the current certificates.
func (r *renewedTLS) ClientHandshake(
	ctx context.Context, authority string, connection net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(r.current()).ClientHandshake(ctx, authority, connection)
}

// ServerHandshake is not that of a client.
func (r *renewedTLS) ServerHandshake(connection net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(r.current()).ServerHandshake(connection)
}

// Info describes the protocol.
func (r *renewedTLS) Info() credentials.ProtocolInfo { return credentials.NewTLS(nil).Info() }

// Clone returns the same, which is safe to be shared.
func (r *renewedTLS) Clone() credentials.TransportCredentials { return r }

// OverrideServerName does nothing: grpc.WithAuthority is for that.
func (r *renewedTLS) OverrideServerName(string) error { return nil }

func (r *renewedTLS) current() *tls.Config {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := r.reread(); err != nil {
		r.logger.Warn("payorch: the certificates are not renewed", "error", err)
	}
	return r.config
}

// reread takes over what the files contain now, if it is valid.
func (r *renewedTLS) reread() error {
	var read [3][]byte
	for index, name := range []string{r.files.CAFile, r.files.CertificateFile, r.files.KeyFile} {
		if name == "" {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return argument("tls: %v", err).because(err)
		}
		read[index] = content
	}
	unchanged := func(index int) bool { return bytes.Equal(read[index], r.read[index]) }
	if r.config != nil && unchanged(0) && unchanged(1) && unchanged(2) {
		return nil
	}
	config, err := r.files.config(read[0], read[1], read[2])
	if err != nil {
		return err
	}
	r.read, r.config = read, config
	return nil
}

// config returns what the contents of the files mean. The error is that of an argument, and names the file.
func (f TLSFiles) config(ca, certificate, key []byte) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CAFile != "" {
		authorities, err := pool(ca)
		if err != nil {
			return nil, argument("tls: the authorities in %s cannot be read: %v", f.CAFile, err)
		}
		config.RootCAs = authorities
	}
	if (f.CertificateFile == "") != (f.KeyFile == "") {
		return nil, argument("tls: certificate and key come together")
	}
	if f.CertificateFile != "" {
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, argument(
				"tls: the certificate in %s and the key in %s cannot be used: %v", f.CertificateFile, f.KeyFile, err,
			)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// pool returns the certificates of a PEM text, each of which must be one.
func pool(text []byte) (*x509.CertPool, error) {
	authorities, found := x509.NewCertPool(), false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		authorities.AddCert(certificate)
		found = true
	}
	if !found {
		return nil, errNoCertificate
	}
	return authorities, nil
}
