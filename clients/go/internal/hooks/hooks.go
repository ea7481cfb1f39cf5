// Package hooks gives the test double what callers of the client cannot have.
package hooks

// InProcess is a payorch.Option for a service in the same process: a client resends without waiting, and may send its
// token without TLS. Package payorch sets it.
var InProcess any
