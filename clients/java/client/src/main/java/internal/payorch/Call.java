package internal.payorch;

import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * A call with its attempts: token, connection, attempt, and the same again after a wait where it is to be sent again.
 *
 * <p>Its steps run on its executor, one after the other: each is begun by the end of what the one before waits for.
 */
final class Call<R extends Message, A extends Message> {
  private static final Logger LOG = System.getLogger("internal.payorch");

  private final MethodDescriptor<R, A> rpc;
  private final R request;
  private final String trackId;
  private final Channels channels;
  private final Endpoint endpoint;
  private final Sender.Settings settings;
  private final ResendLoop loop;
  private final Executor executor;
  private final TraceContext trace = TraceContext.current();
  private final CompletableFuture<A> future = new CompletableFuture<>();
  private final CompletableFuture<String> givenUp = new CompletableFuture<>();
  private volatile ClientCall<R, A> attempt;

  Call(
      MethodDescriptor<R, A> rpc,
      R request,
      String trackId,
      Channels channels,
      Endpoint endpoint,
      Sender.Settings settings,
      ResendLoop loop,
      Executor executor) {
    this.rpc = rpc;
    this.request = request;
    this.trackId = trackId;
    this.channels = channels;
    this.endpoint = endpoint;
    this.settings = settings;
    this.loop = loop;
    this.executor = executor;
  }

  CompletableFuture<A> future() {
    return future;
  }

  void begin() {
    // One who ends the future from outside waits no longer.
    future.whenComplete((answer, thrown) -> giveUp("the future of the call was completed"));
    step(() -> connectAndSend(token(false)));
  }

  /** Ends it as soon as it can; an attempt that was begun is then of unknown outcome. */
  void giveUp(String why) {
    givenUp.complete(why);
    var begun = attempt;
    if (begun != null) {
      begun.cancel(why, null);
    }
  }

  private void connectAndSend(String token) {
    var channel = channels.newest();
    var state =
        Connection.settled(channel)
            .completeOnTimeout(ConnectivityState.CONNECTING, loop.remaining().toNanos(), TimeUnit.NANOSECONDS);
    after(state, () -> {
      switch (state.join()) {
        case READY -> send(channel, token);
        case TRANSIENT_FAILURE -> sendUnlessRefused(channel, token);
        case SHUTDOWN -> sendOnAnother(token);
        default -> failed(endpoint.notConnected(""), token, null);
      }
    }, token);
  }

  /** Sends over the channel that has replaced one, unless there is none. */
  private void sendOnAnother(String token) {
    if (channels.isClosed()) {
      failed(notStarted("the client was closed"), token, null);
    } else {
      connectAndSend(token);
    }
  }

  private void sendUnlessRefused(ManagedChannel channel, String token) {
    channels.reconnect(channel);
    CompletableFuture<Optional<String>> why = Connection.whyNot(channel);
    after(why, () -> {
      if (why.join().isPresent()) {
        failed(endpoint.notConnected(why.join().get()), token, null);
      } else {
        send(channel, token);
      }
    }, token);
  }

  private void send(ManagedChannel channel, String token) {
    var headers = MetadataUtils.newAttachHeadersInterceptor(Outgoing.headers(trackId, token, trace));
    var options = CallOptions.DEFAULT.withDeadlineAfter(loop.remaining().toNanos(), TimeUnit.NANOSECONDS);
    try {
      attempt = ClientInterceptors.intercept(channel, headers).newCall(rpc, options);
      ClientCalls.asyncUnaryCall(attempt, request, new Ending(token));
    } catch (RuntimeException thrown) {
      // An interceptor of the caller's may have thrown after the request was sent.
      failed(CallError.from(thrown), token, thrown);
    }
  }

  private void succeeded(A answer) {
    attempt = null;
    loop.succeeded();
    future.complete(Outgoing.named(answer, Outgoing.requestId(request)));
  }

  private void failed(CallError error, String token, Throwable cause) {
    attempt = null;
    var following = loop.after(error);
    if (following.next() == ResendLoop.Next.END) {
      future.completeExceptionally(exception(cause));
      return;
    }
    log(error, following.pause());
    if (following.next() == ResendLoop.Next.WAIT_AND_SEND) {
      after(pause(following.pause()), () -> connectAndSend(token(false)), token);
      return;
    }
    var fresh = token(true);
    if (fresh.equals(token)) {
      future.completeExceptionally(exception(cause));
    } else {
      connectAndSend(fresh);
    }
  }

  private String token(boolean refresh) {
    return settings.token().map(supplier -> Outgoing.checkedToken(supplier.token(refresh))).orElse("");
  }

  private CompletableFuture<Void> pause(Duration wait) {
    var nanos = settings.timing().pause().apply(wait).toNanos();
    return new CompletableFuture<Void>().completeOnTimeout(null, nanos, TimeUnit.NANOSECONDS);
  }

  private PayorchException exception(Throwable cause) {
    var failure =
        new PayorchException.Failure(
            loop.raised(), Outgoing.requestId(request), loop.attempts(), settings.errorsUrl());
    return PayorchException.of(failure, cause);
  }

  /** Returns the error of an attempt that its caller, or the end of the client, prevented. */
  private static CallError notStarted(String why) {
    return CallError.notStarted(Status.Code.CANCELLED, why + " before it was sent", "");
  }

  /** Does the next step once something has ended, unless its caller has given it up meanwhile. */
  private void after(CompletableFuture<?> event, Runnable next, String token) {
    Runnable step = () -> {
      if (givenUp.isDone()) {
        failed(notStarted(givenUp.join()), token, null);
      } else {
        next.run();
      }
    };
    CompletableFuture.anyOf(event, givenUp).whenComplete((ended, thrown) -> step(step));
  }

  private void step(Runnable step) {
    Runnable guarded = () -> {
      try {
        step.run();
      } catch (RuntimeException | Error thrown) {
        // What cannot go on does not hide that an earlier attempt is in doubt.
        future.completeExceptionally(loop.isInDoubt() ? exception(thrown) : thrown);
      }
    };
    try {
      executor.execute(guarded);
    } catch (RejectedExecutionException e) {
      // How the call ends must not be lost with the executor.
      guarded.run();
    }
  }

  private void log(CallError error, Duration wait) {
    LOG.log(
        Level.INFO,
        () ->
            "%s is sent again in %d ms after %s; request id %s, Track-Id %s"
                .formatted(
                    rpc.getBareMethodName(),
                    wait.toMillis(),
                    error.name(),
                    Outgoing.requestId(request),
                    error.trackId()));
  }

  /** Takes what comes back from an attempt. */
  private final class Ending implements StreamObserver<A> {
    private final String token;
    private A answer;

    Ending(String token) {
      this.token = token;
    }

    @Override
    public void onNext(A value) {
      answer = value;
    }

    @Override
    public void onError(Throwable thrown) {
      step(() -> failed(CallError.from(thrown), token, thrown));
    }

    @Override
    public void onCompleted() {
      if (answer == null) {
        onError(Status.INTERNAL.withDescription("The answer has no message.").asRuntimeException());
      } else {
        step(() -> succeeded(answer));
      }
    }
  }
}
