package payorch

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/grpc/resolver"
)

// resolved returns a target that gRPC resolves to every address of a name, so that round robin has something to choose
// from. A target with the scheme of a registered resolver is left as it is. The error is that of an argument.
func resolved(target string) (string, error) {
	switch {
	case target == "":
		return "", argument("target: it is empty; write host:port, such as payorch:50051")
	case strings.ContainsFunc(target, func(letter rune) bool { return letter == ' ' || !unicode.IsPrint(letter) }):
		return "", argument("target: %q contains blanks or control characters", target)
	}
	scheme, rest, _ := strings.Cut(target, ":")
	if scheme == "http" || scheme == "https" {
		return "", argument("target: %q is the address of a web page; write host:port", target)
	}
	if _, err := strconv.Atoi(rest); err != nil && resolver.Get(scheme) != nil {
		return target, nil
	}
	if problem := notHostAndPort(target); problem != "" {
		return "", argument("target: %q %s", target, problem)
	}
	return "dns:///" + target, nil
}

// notHostAndPort returns what keeps a target from being host:port; empty if it is that.
func notHostAndPort(target string) string {
	colon := strings.LastIndexByte(target, ':')
	if colon <= 0 {
		return "needs a host and a port, such as payorch:50051"
	}
	host, port := target[:colon], target[colon+1:]
	if strings.Contains(host, ":") && !(strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")) {
		return "needs brackets around its IPv6 address, such as [::1]:50051"
	}
	if strings.ContainsAny(host, "/@") {
		return "is more than host:port"
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Sprintf("needs a port from 1 to %d", 1<<16-1)
	}
	return ""
}

// isLoopback returns whether what is sent to a target stays on this machine.
func isLoopback(target string) bool {
	scheme, rest, _ := strings.Cut(target, ":")
	if scheme == "unix" || scheme == "unix-abstract" {
		return true
	}
	if scheme == "dns" {
		target = strings.TrimPrefix(rest, "///")
	}
	host, _, err := net.SplitHostPort(target)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
