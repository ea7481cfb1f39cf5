package internal.payorch;

import com.google.protobuf.Message;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Sends the calls of a client. For many threads. */
final class Sender implements AutoCloseable {
  private final Channels channels;
  private final Endpoint endpoint;
  private final Settings settings;

  Sender(Channels channels, Endpoint endpoint, Settings settings) {
    this.channels = channels;
    this.endpoint = endpoint;
    this.settings = settings;
  }

  /** What holds for every call. */
  record Settings(
      Optional<TokenSupplier> token,
      Optional<Resend> resend,
      ResendBudget budget,
      String errorsUrl,
      Timing timing,
      Executor executor) {

    /** Returns the attempts of a call that begins now. */
    ResendLoop loop(Optional<Duration> deadline) {
      var lasts = deadline.orElseGet(() -> resend.orElse(Resend.DEFAULT).within());
      return new ResendLoop(resend, budget, timing, shortened(lasts), token.isPresent());
    }

    /** Returns a deadline that is no later than that of the call which this one is made for. */
    private static Duration shortened(Duration lasts) {
      var outer = Context.current().getDeadline();
      var left = outer == null ? lasts : Duration.ofNanos(Math.max(0, outer.timeRemaining(TimeUnit.NANOSECONDS)));
      return left.compareTo(lasts) < 0 ? left : lasts;
    }
  }

  /**
   * Makes a call in this thread.
   *
   * @throws IllegalArgumentException the call could never be sent
   * @throws PayorchException it failed
   */
  <R extends Message, A extends Message> A call(MethodDescriptor<R, A> rpc, R request, CallSettings given) {
    var thread = new WaitingThread();
    var call = begun(rpc, request, given, thread);
    return thread.await(call);
  }

  /**
   * Makes a call without waiting for it; its future ends with a {@link PayorchException} where the call fails.
   *
   * @throws IllegalArgumentException the call could never be sent
   */
  <R extends Message, A extends Message> CompletableFuture<A> start(
      MethodDescriptor<R, A> rpc, R request, CallSettings given) {
    var executor = Context.current().fixedContextExecutor(settings.executor());
    return begun(rpc, request, given, TraceContext.current().wrap(executor)).future();
  }

  private <R extends Message, A extends Message> Call<R, A> begun(
      MethodDescriptor<R, A> rpc, R request, CallSettings given, Executor executor) {
    Objects.requireNonNull(request, "request");
    if (channels.isClosed()) {
      throw new IllegalStateException("the client is closed");
    }
    var named = Outgoing.named(request);
    var loop = settings.loop(given.deadline());
    var call = new Call<>(rpc, named, given.trackId(), channels, endpoint, settings, loop, executor);
    call.begin();
    return call;
  }

  /** Ends the connections, and the calls in progress. */
  @Override
  public void close() {
    channels.close();
  }
}
