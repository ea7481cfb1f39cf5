package payorch

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/metadata"
)

const (
	trackIDKey     = "zuora-track-id"
	longestTrackID = 64
)

type trackIDOfContext struct{}

// WithTrackID returns a context whose calls carry this Zuora-Track-Id: 1 to 64 characters from 0x21 to 0x7E without
// : ; " ' and comma. A call with another one fails with [ErrArgument] and is not sent.
func WithTrackID(ctx context.Context, trackID string) context.Context {
	return context.WithValue(ctx, trackIDOfContext{}, trackID)
}

func checkTrackID(trackID string) error {
	outside := func(letter rune) bool { return letter < '!' || letter > '~' || strings.ContainsRune(`:;"',`, letter) }
	if trackID == "" || len(trackID) > longestTrackID || strings.ContainsFunc(trackID, outside) {
		return argument(
			`track_id: %q is not 1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma`, trackID,
		)
	}
	return nil
}

// carrying returns a context with the metadata that all attempts of a call carry: that of the caller, the trace context
// of OpenTelemetry's global propagator, and the Track-Id. The error is that of an argument.
func carrying(ctx context.Context) (context.Context, error) {
	carried, _ := metadata.FromOutgoingContext(ctx) // a copy
	if carried == nil {
		carried = metadata.MD{}
	}
	for key, values := range carried {
		for _, value := range values {
			if !canBeHeader(key, value) {
				return nil, argument("metadata: the value of %q has a character that no header may contain", key)
			}
		}
	}
	otel.GetTextMapPropagator().Inject(ctx, carrier(carried))
	if trackID, ok := ctx.Value(trackIDOfContext{}).(string); ok {
		if err := checkTrackID(trackID); err != nil {
			return nil, err
		}
		carried.Set(trackIDKey, trackID)
	}
	return metadata.NewOutgoingContext(ctx, carried), nil
}

// canBeHeader returns whether gRPC can send a value; it encodes those of binary keys.
func canBeHeader(key, value string) bool {
	outside := func(letter rune) bool { return letter < ' ' || letter > '~' }
	return strings.HasSuffix(key, "-bin") || !strings.ContainsFunc(value, outside)
}

// carrier takes what a propagator of OpenTelemetry writes.
type carrier metadata.MD

// Get returns the first value of a key.
func (c carrier) Get(key string) string {
	if values := metadata.MD(c).Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set replaces the value of a key; what no header can carry is left out, because a trace is no reason to fail a call.
func (c carrier) Set(key, value string) {
	if canBeHeader(key, value) {
		metadata.MD(c).Set(key, value)
	}
}

// Keys returns the keys.
func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}
