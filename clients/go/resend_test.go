package payorch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	payorchv1 "payorch.internal/client/payorch/v1"
)

const (
	notSent = payorchv1.Outcome_OUTCOME_NOT_SENT
	refused = payorchv1.Outcome_OUTCOME_REFUSED
	partial = payorchv1.Outcome_OUTCOME_PARTIAL
	unknown = payorchv1.Outcome_OUTCOME_UNKNOWN
	again   = payorchv1.Advice_ADVICE_RESEND_SAME_REQUEST_ID
	lookUp  = payorchv1.Advice_ADVICE_LOOK_UP
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a clock that tests move; the jitter is a part of the most there may be.
type world struct {
	now  time.Time
	part float64
}

func newWorld() *world { return &world{epoch, 1} }

func (w *world) timing() timing {
	return timing{
		now:    func() time.Time { return w.now },
		jitter: func(most time.Duration) time.Duration { return time.Duration(w.part * float64(most)) },
	}
}

func (w *world) loop(policy *Resend, lasts time.Duration) *resendLoop {
	return &resendLoop{
		policy: policy, budget: new(budget), timing: w.timing(), deadline: epoch.Add(lasts), canRefresh: true,
	}
}

type step struct {
	next next
	wait time.Duration
}

// played lets attempts end like this until the loop does.
func (w *world) played(loop *resendLoop, ends ...attempt) []step {
	var steps []step
	for _, failed := range ends {
		w.now = w.now.Add(100 * time.Millisecond)
		following, wait := loop.after(failed)
		w.now = w.now.Add(wait)
		steps = append(steps, step{following, wait})
		if following == end {
			break
		}
	}
	return steps
}

func failure(outcome payorchv1.Outcome, advice payorchv1.Advice) attempt {
	return attempt{CallError: CallError{Code: codes.Unavailable, Outcome: outcome, Advice: advice}}
}

func policy(attempts int) *Resend { return &Resend{Attempts: attempts, Within: defaultDeadline} }

func nexts(steps []step) []next {
	var found []next
	for _, taken := range steps {
		found = append(found, taken.next)
	}
	return found
}

func TestLoopKeepsItsPromisesWhateverAttemptsEndWith(t *testing.T) {
	random := rand.New(rand.NewPCG(4711, 1))
	for range 50_000 {
		world, lasts := &world{epoch, random.Float64()}, time.Duration(random.Int64N(int64(30*time.Second)))
		attempts := random.IntN(7)
		loop := world.loop(nil, lasts)
		if attempts > 0 {
			loop.policy = policy(attempts)
		}
		loop.canRefresh = random.IntN(2) == 0
		var ends []attempt
		for range 12 {
			ends = append(ends, anyFailure(random))
		}
		steps := world.played(loop, ends...)
		seen := ends[:len(steps)]

		refreshes, resends := 0, 0
		elapsed, limit := time.Duration(0), time.Duration(math.MaxInt64)
		for index, taken := range steps {
			failed := seen[index]
			elapsed += 100 * time.Millisecond
			if before := failed.ResendBeforeTime; !before.IsZero() {
				limit = min(limit, before.Sub(epoch))
			}
			switch taken.next {
			case end:
				continue
			case refreshTokenAndSend:
				refreshes++
				if failed.Code != codes.Unauthenticated || taken.wait != 0 {
					t.Fatalf("a token is refreshed after %v", failed)
				}
			case waitAndSend:
				resends++
				if failed.Advice != again || failed.Code == codes.Unauthenticated || failed.Code == codes.Canceled {
					t.Fatalf("sent again after %+v", failed)
				}
				if taken.wait < failed.RetryDelay || taken.wait > failed.RetryDelay+longestWait {
					t.Fatalf("waits %s after a delay of %s", taken.wait, failed.RetryDelay)
				}
			}
			elapsed += taken.wait
			if elapsed+leastAttempt > lasts || elapsed >= limit {
				t.Fatalf("sent after %s, of %s, before %s", elapsed, lasts, limit)
			}
		}
		if refreshes > 1 || (refreshes > 0 && !loop.canRefresh) || resends > max(0, attempts-1) {
			t.Fatalf("%d refreshes, %d resends by a policy of %d attempts", refreshes, resends, attempts)
		}
		if raised, expected := loop.raised().Message, leastCertain(seen).Message; raised != expected {
			t.Fatalf("raised %s, not %s", raised, expected)
		}
	}
}

func anyFailure(random *rand.Rand) attempt {
	outcomes := []payorchv1.Outcome{notSent, refused, partial, unknown}
	// Mostly what leads on.
	advice := []payorchv1.Advice{again, again, again, again, lookUp, payorchv1.Advice_ADVICE_FIX_REQUEST}
	status := []codes.Code{codes.Unavailable, codes.Unavailable, codes.Aborted, codes.Unauthenticated, codes.Canceled}
	made := failure(outcomes[random.IntN(len(outcomes))], advice[random.IntN(len(advice))])
	made.Code, made.Message = status[random.IntN(len(status))], NewRequestID()
	switch random.IntN(4) {
	case 0:
		made.RetryDelay = time.Duration(random.Int64N(int64(10 * time.Second)))
	case 1:
		made.ResendBeforeTime = epoch.Add(time.Duration(random.Int64N(int64(time.Minute))))
	case 2:
		made.RetryDelay = time.Duration(random.Int64N(2)) * math.MaxInt64
	}
	return made
}

// leastCertain returns whose error a caller gets.
func leastCertain(seen []attempt) attempt {
	newest := seen[len(seen)-1]
	if newest.Outcome != notSent {
		return newest
	}
	for _, failed := range slices.Backward(seen) {
		if failed.Outcome == unknown {
			return failed
		}
	}
	return newest
}

func TestWaitsDoubleUntilThePolicyEnds(t *testing.T) {
	world := newWorld()
	overloaded := failure(notSent, again)
	steps := world.played(world.loop(policy(4), time.Hour), overloaded, overloaded, overloaded, overloaded, overloaded)
	expected := []step{
		{waitAndSend, 200 * time.Millisecond}, {waitAndSend, 400 * time.Millisecond},
		{waitAndSend, 800 * time.Millisecond}, {end, 0},
	}
	if !slices.Equal(steps, expected) {
		t.Errorf("%v", steps)
	}
}

func TestWaitIsNeverShorterThanRetryInfoSays(t *testing.T) {
	limited := failure(notSent, again)
	limited.RetryDelay = 3 * time.Second
	for part, expected := range map[float64]time.Duration{0: 3 * time.Second, 1: 3200 * time.Millisecond} {
		world := &world{epoch, part}
		if steps := world.played(world.loop(policy(4), time.Hour), limited); steps[0].wait != expected {
			t.Errorf("%v", steps)
		}
	}
}

func TestLoopEndsWhereAResendIsNotAdvised(t *testing.T) {
	for number, name := range payorchv1.Advice_name {
		if advice := payorchv1.Advice(number); advice != again {
			world := newWorld()
			if following, _ := world.loop(policy(4), time.Hour).after(failure(notSent, advice)); following != end {
				t.Errorf("%s: %v", name, following)
			}
		}
	}
}

func TestLoopEnds(t *testing.T) {
	cancelled := failure(unknown, again)
	cancelled.Code = codes.Canceled
	for reason, row := range map[string]struct {
		policy *Resend
		lasts  time.Duration
		failed attempt
	}{
		"without a policy":                   {nil, time.Hour, failure(notSent, again)},
		"once the caller has given up":       {policy(4), time.Hour, cancelled},
		"before what could only time out":    {policy(4), 1199 * time.Millisecond, failure(notSent, again)},
		"when no attempt is left":            {policy(1), time.Hour, failure(unknown, again)},
		"before a delay beyond the deadline": {policy(4), time.Minute, delayed(math.MaxInt64)},
	} {
		world := newWorld()
		if following, _ := world.loop(row.policy, row.lasts).after(row.failed); following != end {
			t.Errorf("%s: %v", reason, following)
		}
	}
	world := newWorld()
	if following, _ := world.loop(policy(4), 1200*time.Millisecond).after(failure(notSent, again)); following != waitAndSend {
		t.Error("an attempt of a second is left out")
	}
}

func delayed(delay time.Duration) attempt {
	made := failure(notSent, again)
	made.RetryDelay = delay
	return made
}

func TestNothingIsSentAfterTheEarliestTimeThatAnyAttemptNamed(t *testing.T) {
	soon, late := failure(notSent, again), failure(notSent, again)
	soon.ResendBeforeTime, late.ResendBeforeTime = epoch.Add(time.Second), epoch.Add(time.Minute)
	world := newWorld()
	steps := world.played(world.loop(policy(9), time.Hour), soon, late, late, late)
	if !slices.Equal(nexts(steps), []next{waitAndSend, waitAndSend, end}) {
		t.Errorf("%v", steps)
	}
}

func TestResendsEndWhileMostCallsFail(t *testing.T) {
	world, shared := newWorld(), new(budget)
	sent := func() bool {
		loop := world.loop(policy(2), time.Hour)
		loop.budget = shared
		following, _ := loop.after(failure(notSent, again))
		return following == waitAndSend
	}
	var found []bool
	for range 7 {
		found = append(found, sent())
	}
	if !slices.Equal(found, []bool{true, true, true, true, false, false, false}) {
		t.Errorf("%v", found)
	}
	for range 41 {
		shared.succeeded()
	}
	if !sent() {
		t.Error("successes bring resends back")
	}
}

func TestDoubtEndsWithASettledAnswerAlone(t *testing.T) {
	for outcome, raised := range map[payorchv1.Outcome]payorchv1.Outcome{
		notSent: unknown, refused: refused, partial: partial, unknown: unknown,
	} {
		world := newWorld()
		loop := world.loop(policy(4), time.Hour)
		world.played(loop, failure(unknown, again), failure(outcome, lookUp))
		if loop.raised().Outcome != raised || len(loop.attempts) != 2 {
			t.Errorf("after %s: %s", outcome, loop.raised().Outcome)
		}
	}
}

func TestWrongCredentialIsReplacedOnce(t *testing.T) {
	wrong := failure(notSent, again)
	wrong.Code = codes.Unauthenticated
	overloaded := failure(notSent, again)
	for _, row := range []struct {
		policy   *Resend
		ends     []attempt
		expected []next
	}{
		{nil, []attempt{wrong, wrong}, []next{refreshTokenAndSend, end}},
		{policy(1), []attempt{wrong, wrong}, []next{refreshTokenAndSend, end}},
		// It does not count as an attempt.
		{policy(2), []attempt{wrong, overloaded, overloaded}, []next{refreshTokenAndSend, waitAndSend, end}},
	} {
		world := newWorld()
		if steps := world.played(world.loop(row.policy, time.Hour), row.ends...); !slices.Equal(nexts(steps), row.expected) {
			t.Errorf("%v", steps)
		}
	}
	world := newWorld()
	loop := world.loop(policy(4), time.Hour)
	loop.canRefresh = false
	if following, _ := loop.after(wrong); following != end {
		t.Error("a certificate stays what it is")
	}
}
