package payorch

import (
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	defaultAttempts = 4
	// defaultDeadline is that of a call whose context has none. The service ends no call later than after 55 s.
	defaultDeadline = 20 * time.Second
	firstWait       = 200 * time.Millisecond
	longestWait     = 8 * time.Second
	mostDoublings   = 10
	// leastAttempt: an attempt with less time left could only make the outcome less certain.
	leastAttempt    = time.Second
	mostTokens      = 10.0
	tokensOfSuccess = 0.1
)

// Resend says how often and for how long a call is sent again under its request id, where the service advises it.
type Resend struct {
	// Attempts is how often a call is sent in total; 0 means 4.
	Attempts int
	// Within is how long a call takes at most with all its attempts and waits, unless its context has a deadline; 0 means
	// 20 s.
	Within time.Duration
}

// checked returns the policy with its defaults. The error is that of an argument.
func (r Resend) checked() (Resend, error) {
	switch {
	case r.Attempts < 0:
		return r, argument("resend: %d attempts are less than 1", r.Attempts)
	case r.Within < 0:
		return r, argument("resend: within %s is not a positive duration", r.Within)
	}
	if r.Attempts == 0 {
		r.Attempts = defaultAttempts
	}
	if r.Within == 0 {
		r.Within = defaultDeadline
	}
	return r, nil
}

// budget stops resends while many calls of a client fail, as gRPC's own retry throttling does. It is used by many
// goroutines.
type budget struct {
	mutex sync.Mutex
	spent float64
}

// succeeded counts a success.
func (b *budget) succeeded() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.spent = max(0, b.spent-tokensOfSuccess)
}

// allowsResend counts a failure, and returns whether it may be sent again.
func (b *budget) allowsResend() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.spent = min(mostTokens, b.spent+1)
	return b.spent < mostTokens/2
}

// next is what follows a failed attempt.
type next int

const (
	end next = iota
	waitAndSend
	refreshTokenAndSend
)

// attempt is how an attempt failed, with the errors below it.
type attempt struct {
	CallError
	causes []error
}

// resendLoop has the attempts of one call. It neither sends nor sleeps. It follows the advice of the service alone, and
// never makes an outcome more certain than the least certain attempt.
type resendLoop struct {
	// policy is nil where a call is sent once, and once more with a fresh token.
	policy     *Resend
	budget     *budget
	timing     timing
	deadline   time.Time
	canRefresh bool

	attempts  []attempt
	doubt     *attempt // the newest one that may have been executed
	resends   int
	refreshed bool
	before    time.Time // the earliest ResendBeforeTime; zero if there is none
}

// after returns what follows an attempt that failed, and after how long.
func (l *resendLoop) after(failed attempt) (next, time.Duration) {
	l.remember(failed)
	// A wrong credential is never sent twice.
	if failed.Code == codes.Unauthenticated {
		return l.afterWrongCredential(), 0
	}
	// Its caller has given it up.
	if failed.Code == codes.Canceled {
		return end, 0
	}
	if l.policy == nil || failed.Advice != payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID {
		return end, 0
	}
	if !l.budget.allowsResend() || l.resends+1 >= l.policy.Attempts {
		return end, 0
	}
	// The delay alone is compared first, because it can be so long that the sum would overflow.
	if !l.inTime(failed.RetryDelay) {
		return end, 0
	}
	most := min(longestWait, firstWait<<min(l.resends, mostDoublings))
	wait := failed.RetryDelay + l.timing.jitter(most)
	if !l.inTime(wait) {
		return end, 0
	}
	l.resends++
	return waitAndSend, wait
}

// raised returns the attempt whose error is that of the call: the newest, unless it says nothing of an earlier one that
// is in doubt.
func (l *resendLoop) raised() *attempt {
	newest := &l.attempts[len(l.attempts)-1]
	if l.doubt != nil && newest.Outcome == payorchv1.Outcome_OUTCOME_NOT_SENT {
		return l.doubt
	}
	return newest
}

func (l *resendLoop) remember(failed attempt) {
	l.attempts = append(l.attempts, failed)
	if failed.Outcome == payorchv1.Outcome_OUTCOME_UNKNOWN {
		l.doubt = &failed
	}
	if before := failed.ResendBeforeTime; !before.IsZero() && (l.before.IsZero() || before.Before(l.before)) {
		l.before = before
	}
}

func (l *resendLoop) afterWrongCredential() next {
	if !l.canRefresh || l.refreshed || !l.inTime(0) {
		return end
	}
	l.refreshed = true
	return refreshTokenAndSend
}

func (l *resendLoop) inTime(wait time.Duration) bool {
	now := l.timing.now()
	if wait > l.deadline.Sub(now)-leastAttempt {
		return false
	}
	return l.before.IsZero() || now.Add(wait).Before(l.before)
}
