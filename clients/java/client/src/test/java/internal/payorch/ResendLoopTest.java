package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import internal.payorch.ResendLoop.Next;
import internal.payorch.ResendLoop.Step;
import internal.payorch.v1.Advice;
import internal.payorch.v1.Outcome;
import io.grpc.Status.Code;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** When a call is sent again, compared with a model of a few lines. */
class ResendLoopTest {
  private static final Instant EPOCH = Instant.parse("2026-01-01T00:00:00Z");
  private static final List<Code> CODES =
      List.of(Code.UNAVAILABLE, Code.ABORTED, Code.UNAUTHENTICATED, Code.CANCELLED);
  private static final List<Outcome> OUTCOMES =
      List.of(
          Outcome.OUTCOME_NOT_SENT, Outcome.OUTCOME_REFUSED, Outcome.OUTCOME_PARTIAL, Outcome.OUTCOME_UNKNOWN);
  private static final List<Advice> ADVICE =
      List.of(
          // Mostly what leads on.
          Advice.ADVICE_RESEND_SAME_REQUEST_ID,
          Advice.ADVICE_RESEND_SAME_REQUEST_ID,
          Advice.ADVICE_RESEND_SAME_REQUEST_ID,
          Advice.ADVICE_FIX_REQUEST,
          Advice.ADVICE_USE_NEW_REQUEST_ID,
          Advice.ADVICE_LOOK_UP);

  private final Clock clock = new Clock();

  /** A clock that tests move; the jitter is a part of the most there may be. */
  private static final class Clock {
    private Duration now = Duration.ZERO;
    private double part = 1;

    Timing timing() {
      return new Timing(() -> now.toNanos(), () -> EPOCH.plus(now), () -> part, pause -> pause);
    }

    ResendLoop loop(Optional<Resend> policy, Duration lasts, boolean canRefresh) {
      return new ResendLoop(policy, new ResendBudget(), timing(), lasts, canRefresh);
    }
  }

  private static CallError error(
      Code code, Outcome outcome, Advice advice, Optional<Duration> delay, Optional<Instant> resendBefore) {
    return new CallError(
        code, "", "", outcome, advice, "", List.of(), Map.of(), delay, List.of(), resendBefore, Optional.empty(), "");
  }

  private static CallError error(Outcome outcome) {
    return error(
        Code.UNAVAILABLE, outcome, Advice.ADVICE_RESEND_SAME_REQUEST_ID, Optional.empty(), Optional.empty());
  }

  private static <T> T any(Random random, List<T> values) {
    return values.get(random.nextInt(values.size()));
  }

  private static CallError anyError(Random random) {
    var delay = random.nextBoolean() ? Optional.<Duration>empty() : Optional.of(millis(random, 10_000));
    var before = random.nextBoolean() ? Optional.<Instant>empty() : Optional.of(EPOCH.plus(millis(random, 60_000)));
    return error(any(random, CODES), any(random, OUTCOMES), any(random, ADVICE), delay, before);
  }

  private static Duration millis(Random random, int below) {
    return Duration.ofMillis(random.nextInt(below));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void isTheModel(long seed) {
    var random = new Random(seed);
    for (var round = 0; round < 2_000; round++) {
      clock.now = Duration.ZERO;
      clock.part = random.nextDouble();
      var resend = Resend.of(1 + random.nextInt(6), Duration.ofSeconds(20));
      var policy = random.nextInt(5) == 0 ? Optional.<Resend>empty() : Optional.of(resend);
      var lasts = millis(random, 30_000);
      var canRefresh = random.nextBoolean();
      var loop = clock.loop(policy, lasts, canRefresh);
      var ends = random.ints(12).mapToObj(ignored -> anyError(random)).toList();

      var seen = played(loop, ends);

      assertEquals(modelled(ends, policy, lasts, canRefresh), seen);
      assertSame(leastCertain(ends.subList(0, seen.size())), loop.raised());
      assertEquals(ends.subList(0, seen.size()), loop.attempts());
    }
  }

  /** Lets attempts of 0.1 s end like this until the loop does. */
  private List<Step> played(ResendLoop loop, List<CallError> ends) {
    var steps = new ArrayList<Step>();
    for (var end : ends) {
      clock.now = clock.now.plusMillis(100);
      steps.add(loop.after(end));
      clock.now = clock.now.plus(steps.get(steps.size() - 1).pause());
      if (steps.get(steps.size() - 1).next() == Next.END) {
        break;
      }
    }
    return steps;
  }

  /** The rules, read from the top. */
  private List<Step> modelled(List<CallError> ends, Optional<Resend> policy, Duration lasts, boolean canRefresh) {
    var steps = new ArrayList<Step>();
    var now = Duration.ZERO;
    var before = Instant.MAX;
    var sent = 1;
    var tokens = 10;
    var refreshed = false;
    for (var end : ends) {
      now = now.plusMillis(100);
      before = end.resendBeforeTime().filter(before::isAfter).orElse(before);
      var most = Math.min(8_000_000_000L, 200_000_000L << (sent - 1));
      var pause = end.retryDelay().orElse(Duration.ZERO).plusNanos((long) (clock.part * most));
      var credential = end.code() == Code.UNAUTHENTICATED;
      if (credential) {
        pause = Duration.ZERO;
      }
      var inTime =
          now.plus(pause).plusSeconds(1).compareTo(lasts) <= 0 && EPOCH.plus(now).plus(pause).isBefore(before);
      var follows =
          credential
              ? canRefresh && !refreshed && inTime
              : end.code() != Code.CANCELLED
                  && policy.isPresent()
                  && end.advice() == Advice.ADVICE_RESEND_SAME_REQUEST_ID
                  && --tokens > 5
                  && sent < policy.get().attempts()
                  && inTime;
      if (!follows) {
        steps.add(Step.END);
        return steps;
      }
      sent += credential ? 0 : 1;
      refreshed |= credential;
      steps.add(new Step(credential ? Next.REFRESH_TOKEN_AND_SEND : Next.WAIT_AND_SEND, pause));
      now = now.plus(pause);
    }
    return steps;
  }

  private static CallError leastCertain(List<CallError> ends) {
    var newest = ends.get(ends.size() - 1);
    if (newest.outcome() != Outcome.OUTCOME_NOT_SENT) {
      return newest;
    }
    return ends.stream()
        .filter(end -> end.outcome() == Outcome.OUTCOME_UNKNOWN)
        .reduce((earlier, later) -> later)
        .orElse(newest);
  }

  @ParameterizedTest
  @EnumSource(
      value = Outcome.class,
      names = {"OUTCOME_REFUSED", "OUTCOME_PARTIAL", "OUTCOME_UNKNOWN"})
  void raisesWhatSettlesADoubt(Outcome later) {
    var loop = clock.loop(Optional.of(Resend.DEFAULT), Duration.ofSeconds(20), false);
    var settled = error(later);

    loop.after(error(Outcome.OUTCOME_UNKNOWN));
    loop.after(settled);

    assertSame(settled, loop.raised());
  }

  @Test
  void raisesADoubtInsteadOfALaterNotSent() {
    var loop = clock.loop(Optional.of(Resend.DEFAULT), Duration.ofSeconds(20), false);
    var doubt = error(Outcome.OUTCOME_UNKNOWN);

    loop.after(doubt);
    loop.after(error(Outcome.OUTCOME_NOT_SENT));

    assertSame(doubt, loop.raised());
  }

  @Test
  void endsWhereADelayIsLongerThanJavaCanAdd() {
    var loop = clock.loop(Optional.of(Resend.DEFAULT), Duration.ofSeconds(20), false);
    var delay = Optional.of(Duration.ofSeconds(Long.MAX_VALUE));

    var step =
        loop.after(
            error(
                Code.UNAVAILABLE,
                Outcome.OUTCOME_NOT_SENT,
                Advice.ADVICE_RESEND_SAME_REQUEST_ID,
                delay,
                Optional.empty()));

    assertEquals(Step.END, step);
  }

  @Test
  void stopsWhileManyCallsOfAClientFail() {
    var budget = new ResendBudget();
    var allowed = 0;
    while (budget.allowsResend()) {
      allowed++;
    }
    for (var success = 0; success < 10; success++) {
      budget.succeeded();
    }

    assertEquals(4, allowed);
    assertTrue(!budget.allowsResend());
  }

  @Test
  void resumesOnceEnoughCallsHaveSucceeded() {
    var budget = new ResendBudget();
    while (budget.allowsResend()) {}
    for (var success = 0; success < 11; success++) {
      budget.succeeded();
    }

    assertTrue(budget.allowsResend());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1})
  void hasAtLeastOneAttempt(int attempts) {
    assertThrows(IllegalArgumentException.class, () -> Resend.of(attempts, Duration.ofSeconds(1)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"PT0S", "PT-1S", "PT200000H"})
  void lastsForAPositiveTime(Duration within) {
    assertThrows(IllegalArgumentException.class, () -> Resend.of(1, within));
  }
}
