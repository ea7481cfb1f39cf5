package internal.payorch;

import java.time.Duration;

/**
 * How often and for how long a call is sent again under its request id, where the service advises it.
 *
 * @param attempts how often a call is sent in total; at least 1
 * @param within how long a call takes at most with all its attempts and waits, unless it is given a deadline
 */
public record Resend(int attempts, Duration within) {
  /** What a client does unless it is given something else: 4 attempts within 20 seconds. */
  public static final Resend DEFAULT = new Resend(4, Duration.ofSeconds(20));

  /**
   * Refuses what makes no sense.
   *
   * @param attempts how often a call is sent in total; at least 1
   * @param within how long a call takes at most with all its attempts and waits, unless it is given a deadline
   * @throws IllegalArgumentException a number is out of its range
   */
  public Resend {
    if (attempts < 1) {
      throw new IllegalArgumentException("attempts: %d is less than 1".formatted(attempts));
    }
    CallSettings.requirePositive("within", within);
  }

  /**
   * {@return a policy}
   *
   * @param attempts how often a call is sent in total; at least 1
   * @param within how long a call takes at most with all its attempts and waits, unless it is given a deadline
   * @throws IllegalArgumentException a number is out of its range
   */
  public static Resend of(int attempts, Duration within) {
    return new Resend(attempts, within);
  }
}
