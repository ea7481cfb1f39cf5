package internal.payorch;

import io.grpc.ManagedChannel;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The channel of a client, replaced by a new one once its certificates have been renewed. For many threads.
 *
 * <p>Another key manager for the same channel would not do: gRPC resumes TLS sessions, and the service goes by the
 * certificate that it saw when the session began.
 */
final class Channels implements AutoCloseable {
  private static final Logger LOG = System.getLogger("internal.payorch");
  private static final long CHECK_EVERY_NANOS = Duration.ofSeconds(10).toNanos();

  private static final long RECONNECT_EVERY_NANOS = Duration.ofSeconds(1).toNanos();

  private final Function<Optional<Tls>, ManagedChannel> maker;
  private final Timing timing;
  private final List<ManagedChannel> left = new ArrayList<>();
  private Optional<Tls> tls;
  private ManagedChannel newest;
  private long lookedAtNanos;
  private long reconnectedAtNanos;
  private boolean closed;

  /**
   * Makes the first channel, which connects with the first call.
   *
   * @param maker makes a channel with what is trusted and shown
   * @param tls empty: without TLS
   * @param timing decides when the files are looked at again
   */
  Channels(Function<Optional<Tls>, ManagedChannel> maker, Optional<Tls> tls, Timing timing) {
    this.maker = maker;
    this.tls = tls;
    this.timing = timing;
    this.lookedAtNanos = timing.nanos().getAsLong();
    this.reconnectedAtNanos = lookedAtNanos - RECONNECT_EVERY_NANOS;
    this.newest = maker.apply(tls);
  }

  /**
   * Connects a channel again at once, but not more than once a second. Calls fail while it waits, and gRPC's own two
   * minutes would make an outage longer.
   */
  synchronized void reconnect(ManagedChannel channel) {
    var now = timing.nanos().getAsLong();
    if (now - reconnectedAtNanos >= RECONNECT_EVERY_NANOS) {
      reconnectedAtNanos = now;
      channel.resetConnectBackoff();
    }
  }

  /** Returns the channel for an attempt; one that was begun on another before ends there. */
  synchronized ManagedChannel newest() {
    if (!closed && tls.isPresent() && timing.nanos().getAsLong() - lookedAtNanos >= CHECK_EVERY_NANOS) {
      renew(tls.get());
    }
    return newest;
  }

  synchronized boolean isClosed() {
    return closed;
  }

  @Override
  public synchronized void close() {
    closed = true;
    newest.shutdownNow();
    left.forEach(ManagedChannel::shutdownNow);
  }

  /** Reads the files again; what cannot be read changes nothing. */
  private void renew(Tls current) {
    lookedAtNanos = timing.nanos().getAsLong();
    try {
      var renewed = current.reread();
      if (renewed != current) {
        var replaced = newest;
        newest = maker.apply(Optional.of(renewed));
        tls = Optional.of(renewed);
        left.removeIf(ManagedChannel::isTerminated);
        left.add(replaced.shutdown());
      }
    } catch (IllegalArgumentException e) {
      LOG.log(Level.WARNING, "the certificates are not renewed: {0}", e.getMessage());
    }
  }
}
