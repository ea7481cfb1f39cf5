package internal.payorch;

import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What one call may have of its own: {@code CallSettings.trackId("ticket-1").withDeadline(Duration.ofSeconds(5))}.
 *
 * @param trackId the Zuora-Track-Id; empty: the service makes one
 * @param deadline how long the call takes at most with all its attempts and waits; empty: as the client's resends do
 */
public record CallSettings(String trackId, Optional<Duration> deadline) {
  /** Nothing of its own. */
  public static final CallSettings NONE = new CallSettings("", Optional.empty());

  // A part of the rules of the service, which refuses a Track-Id of another form.
  private static final Pattern TRACK_ID = Pattern.compile("[!-~&&[^:;\"',]]{1,64}");
  private static final Duration LONGEST = Duration.ofDays(365);

  /**
   * Refuses what could never be sent.
   *
   * @param trackId the Zuora-Track-Id; empty: the service makes one
   * @param deadline how long the call takes at most with all its attempts and waits; empty: as the client's resends do
   * @throws IllegalArgumentException the Track-Id has another form, or the deadline is not positive
   */
  public CallSettings {
    if (!trackId.isEmpty()) {
      requireTrackId(trackId);
    }
    deadline.ifPresent(given -> requirePositive("deadline", given));
  }

  /**
   * {@return settings with a Zuora-Track-Id, by which Zuora's support and this service's operators find the call}
   *
   * @param trackId 1 to 64 characters from 0x21 to 0x7E without {@code : ; " '} and comma
   * @throws IllegalArgumentException it has another form
   */
  public static CallSettings trackId(String trackId) {
    return NONE.withTrackId(trackId);
  }

  /**
   * {@return settings with a deadline}
   *
   * @param deadline from the call on, for all its attempts and waits
   * @throws IllegalArgumentException it is not positive
   */
  public static CallSettings deadline(Duration deadline) {
    return NONE.withDeadline(deadline);
  }

  /**
   * {@return these settings with another Zuora-Track-Id}
   *
   * @param trackId 1 to 64 characters from 0x21 to 0x7E without {@code : ; " '} and comma
   * @throws IllegalArgumentException it has another form
   */
  public CallSettings withTrackId(String trackId) {
    requireTrackId(trackId);
    return new CallSettings(trackId, deadline);
  }

  /**
   * {@return these settings with another deadline}
   *
   * @param deadline from the call on, for all its attempts and waits
   * @throws IllegalArgumentException it is not positive
   */
  public CallSettings withDeadline(Duration deadline) {
    return new CallSettings(trackId, Optional.of(deadline));
  }

  static void requirePositive(String name, Duration given) {
    Objects.requireNonNull(given, name);
    if (given.isNegative() || given.isZero() || given.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException("%s: %s is not a positive time of at most a year".formatted(name, given));
    }
  }

  private static void requireTrackId(String trackId) {
    if (!TRACK_ID.matcher(trackId).matches()) {
      throw new IllegalArgumentException(
          "track_id: \"%s\" is not 1 to 64 characters from 0x21 to 0x7E without : ; \" ' and comma"
              .formatted(ErrorText.printable(trackId)));
    }
  }
}
