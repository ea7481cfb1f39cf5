package payorch

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPauseEndsWithItsContext(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(gone, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := pause(t.Context(), 0); err != nil {
		t.Errorf("%v", err)
	}
}

func TestJitterStaysWithinItsBounds(t *testing.T) {
	most, seen := 3*time.Nanosecond, map[time.Duration]bool{}
	for range 1000 {
		seen[systemTiming().jitter(most)] = true
	}
	if len(seen) != 4 || !seen[0] || !seen[most] {
		t.Errorf("%v", seen)
	}
}
