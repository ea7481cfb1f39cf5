package payorch

import (
	"context"
	"math/rand/v2"
	"time"
)

// timing is where a client gets time and chance from, in one place so that tests can replace them.
type timing struct {
	now func() time.Time
	// jitter returns a random duration from 0 to most.
	jitter func(most time.Duration) time.Duration
	// pause waits; it returns the error of the context if that ends first.
	pause func(ctx context.Context, wait time.Duration) error
}

func systemTiming() timing {
	return timing{
		now:    time.Now,
		jitter: func(most time.Duration) time.Duration { return rand.N(most + 1) },
		pause:  pause,
	}
}

func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
