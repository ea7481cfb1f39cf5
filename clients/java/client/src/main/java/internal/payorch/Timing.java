package internal.payorch;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/**
 * The clocks and the chance that a client uses, in one place so that tests can replace them.
 *
 * @param nanos nanoseconds of a clock that never goes back
 * @param now to compare with what the service names
 * @param random a random number from 0 to 1
 * @param pause how long a wait really takes; a test double makes it none
 */
record Timing(LongSupplier nanos, Supplier<Instant> now, DoubleSupplier random, UnaryOperator<Duration> pause) {
  static final Timing SYSTEM =
      new Timing(
          System::nanoTime, Instant::now, () -> ThreadLocalRandom.current().nextDouble(), UnaryOperator.identity());

  Timing withoutPauses() {
    return new Timing(nanos, now, random, wait -> Duration.ZERO);
  }
}
