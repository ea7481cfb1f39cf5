package payorch

import (
	"errors"
	"strings"
	"testing"
)

func TestTargetsAreWhatGRPCResolves(t *testing.T) {
	for target, expected := range map[string]string{
		"payorch:50051":              "dns:///payorch:50051",
		"127.0.0.1:1":                "dns:///127.0.0.1:1",
		"[::1]:65535":                "dns:///[::1]:65535",
		"dns:50051":                  "dns:///dns:50051", // a host of this name
		"dns:///payorch:50051":       "dns:///payorch:50051",
		"passthrough:///payorch:1":   "passthrough:///payorch:1",
		"unix:///run/payorch.socket": "unix:///run/payorch.socket",
	} {
		if found, err := resolved(target); err != nil || found != expected {
			t.Errorf("%s: %s, %v", target, found, err)
		}
	}
}

func TestWhatIsNoTargetIsNamed(t *testing.T) {
	for target, problem := range map[string]string{
		"":                       "it is empty",
		"payorch :50051":         "blanks or control characters",
		"payorch:50051\n":        "blanks or control characters",
		"http://payorch:50051":   "is the address of a web page; write host:port",
		"https://payorch:50051":  "is the address of a web page; write host:port",
		"payorch":                "needs a host and a port",
		":50051":                 "needs a host and a port",
		"::1:50051":              "needs brackets around its IPv6 address",
		"payorch:0":              "needs a port from 1 to 65535",
		"payorch:65536":          "needs a port from 1 to 65535",
		"payorch:+1":             "needs a port from 1 to 65535",
		"payorch:":               "needs a port from 1 to 65535",
		"user@payorch:50051":     "is more than host:port",
		"payorch/path:50051":     "is more than host:port",
		"nowhere:///payorch:501": "needs brackets",
	} {
		_, err := New(target)
		if !errors.Is(err, ErrArgument) || !strings.HasPrefix(err.Error(), "target: ") || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %v", target, err)
		}
	}
}

func TestWhatStaysOnThisMachine(t *testing.T) {
	for target, expected := range map[string]bool{
		"127.0.0.1:1": true, "127.8.8.8:1": true, "localhost:1": true, "[::1]:1": true, "dns:///localhost:1": true,
		"unix:/run/socket": true, "unix-abstract:name": true,
		"payorch:1": false, "127.0.0.1.example:1": false, "dns:///10.0.0.1:1": false, "dns://8.8.8.8/localhost:1": false,
		"passthrough:///127.0.0.1:1": false, "dns:50051": false,
	} {
		if isLoopback(target) != expected {
			t.Errorf("%s: %t", target, !expected)
		}
	}
}
