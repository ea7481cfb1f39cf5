package internal.payorch;

import internal.payorch.v1.Advice;
import internal.payorch.v1.Outcome;
import io.grpc.Status;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * When a call is sent again: a state machine that neither sends nor sleeps.
 *
 * <p>It follows the advice of the service alone, and never makes an outcome more certain than the least certain
 * attempt. One call uses it, a step at a time.
 */
final class ResendLoop {
  /** An attempt with less time left could only make the outcome less certain. */
  static final Duration LEAST_ATTEMPT = Duration.ofSeconds(1);

  private static final Duration FIRST_WAIT = Duration.ofMillis(200);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(8);
  private static final Duration LONGEST_DELAY = Duration.ofDays(1000);
  private static final int MOST_DOUBLINGS = 10;

  private final Optional<Resend> policy;
  private final ResendBudget budget;
  private final Timing timing;
  private final long deadlineNanos;
  private final boolean canRefresh;
  private final List<CallError> attempts = new ArrayList<>();
  private CallError doubt;
  private int counted = 1;
  private boolean refreshed;
  private Instant resendBefore = Instant.MAX;

  /**
   * Starts the attempts of a call.
   *
   * @param policy empty: a call is sent once, and once more with a fresh token
   * @param lasts from now until the deadline
   * @param canRefresh whether there is a supplier of tokens
   */
  ResendLoop(Optional<Resend> policy, ResendBudget budget, Timing timing, Duration lasts, boolean canRefresh) {
    this.policy = policy;
    this.budget = budget;
    this.timing = timing;
    this.deadlineNanos = timing.nanos().getAsLong() + lasts.toNanos();
    this.canRefresh = canRefresh;
  }

  /** What follows a failed attempt. */
  enum Next {
    END,
    WAIT_AND_SEND,
    REFRESH_TOKEN_AND_SEND
  }

  /**
   * A step.
   *
   * @param pause before the next attempt
   */
  record Step(Next next, Duration pause) {
    static final Step END = new Step(Next.END, Duration.ZERO);
  }

  /** Returns the time that is left; zero when there is none. */
  Duration remaining() {
    return Duration.ofNanos(Math.max(0, deadlineNanos - timing.nanos().getAsLong()));
  }

  void succeeded() {
    budget.succeeded();
  }

  /** Returns what follows an attempt that failed, and after which wait. */
  Step after(CallError error) {
    attempts.add(error);
    if (error.outcome() == Outcome.OUTCOME_UNKNOWN) {
      doubt = error;
    }
    error.resendBeforeTime().filter(resendBefore::isAfter).ifPresent(time -> resendBefore = time);
    // A wrong credential is never sent twice.
    if (error.code() == Status.Code.UNAUTHENTICATED) {
      return afterWrongCredential();
    }
    // Its caller has given it up.
    if (error.code() == Status.Code.CANCELLED) {
      return Step.END;
    }
    if (policy.isEmpty() || error.advice() != Advice.ADVICE_RESEND_SAME_REQUEST_ID) {
      return Step.END;
    }
    if (!budget.allowsResend() || counted >= policy.get().attempts()) {
      return Step.END;
    }
    // RetryInfo, and never sooner.
    var wait = error.retryDelay().map(ResendLoop::limited).orElse(Duration.ZERO).plus(jitter());
    if (!isInTime(wait)) {
      return Step.END;
    }
    counted++;
    return new Step(Next.WAIT_AND_SEND, wait);
  }

  /** Returns how all attempts ended, in their order. */
  List<CallError> attempts() {
    return List.copyOf(attempts);
  }

  /** Returns whether an attempt may have been executed. */
  boolean isInDoubt() {
    return doubt != null;
  }

  /** Returns the error of the call: the newest, unless it says nothing of an earlier attempt that is in doubt. */
  CallError raised() {
    var newest = attempts.get(attempts.size() - 1);
    return isInDoubt() && newest.outcome() == Outcome.OUTCOME_NOT_SENT ? doubt : newest;
  }

  private Step afterWrongCredential() {
    if (!canRefresh || refreshed || !isInTime(Duration.ZERO)) {
      return Step.END;
    }
    refreshed = true;
    return new Step(Next.REFRESH_TOKEN_AND_SEND, Duration.ZERO);
  }

  /** Returns a delay that can be computed with, and that no deadline has room for if it was longer. */
  private static Duration limited(Duration delay) {
    return delay.isNegative() ? Duration.ZERO : delay.compareTo(LONGEST_DELAY) > 0 ? LONGEST_DELAY : delay;
  }

  private Duration jitter() {
    var doubled = FIRST_WAIT.multipliedBy(1L << Math.min(counted - 1, MOST_DOUBLINGS));
    var most = doubled.compareTo(LONGEST_WAIT) < 0 ? doubled : LONGEST_WAIT;
    return Duration.ofNanos((long) (timing.random().getAsDouble() * most.toNanos()));
  }

  private boolean isInTime(Duration wait) {
    if (wait.plus(LEAST_ATTEMPT).compareTo(remaining()) > 0) {
      return false;
    }
    return timing.now().get().plus(wait).isBefore(resendBefore);
  }
}
