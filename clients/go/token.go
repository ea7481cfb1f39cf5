package payorch

import (
	"context"
	"strings"
)

// TokenSource returns the caller's JSON Web Token. It is called for every attempt, so it has to cache; refresh asks for
// a fresh token, because the last one was not accepted. It is called by many goroutines.
type TokenSource func(ctx context.Context, refresh bool) (string, error)

// bearer is the token of one attempt. gRPC itself refuses to send it without TLS where it must not.
type bearer struct {
	token     string
	plaintext bool
}

// GetRequestMetadata returns the header.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

// RequireTransportSecurity returns whether the token may not be sent in plaintext.
func (b bearer) RequireTransportSecurity() bool { return !b.plaintext }

// checkToken returns the error of an argument for a token that no header can carry; it does not show the token.
func checkToken(token string) error {
	if strings.TrimSpace(token) != token {
		return argument("token: it begins or ends with a blank or a line break; strip it")
	}
	outside := func(letter rune) bool { return letter < '!' || letter > '~' }
	if token == "" || strings.ContainsFunc(token, outside) {
		return argument("token: it is empty, or has a character that no header may contain")
	}
	return nil
}
