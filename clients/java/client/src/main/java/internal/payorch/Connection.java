package internal.payorch;

import io.grpc.CallOptions;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Whether a channel is connected, and why not.
 *
 * <p>A call is started only on a channel that is ready, so a call without a connection was provably never sent. What
 * gRPC says of a call that was started proves nothing.
 */
final class Connection {
  private static final long PROBE_S = 1;
  private static final MethodDescriptor.Marshaller<byte[]> BYTES = new Bytes();

  /** It moves nothing, and needs no token. Its error says why there is no connection. */
  private static final MethodDescriptor<byte[], byte[]> PROBE =
      MethodDescriptor.newBuilder(BYTES, BYTES)
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("grpc.health.v1.Health/Check")
          .build();

  private Connection() {}

  /** Returns the state that ends the wait for a connection: ready, failed or closed. */
  static CompletableFuture<ConnectivityState> settled(ManagedChannel channel) {
    var settled = new CompletableFuture<ConnectivityState>();
    look(channel, settled);
    return settled;
  }

  private static void look(ManagedChannel channel, CompletableFuture<ConnectivityState> settled) {
    if (settled.isDone()) {
      return;
    }
    var state = channel.getState(true);
    switch (state) {
      case READY, TRANSIENT_FAILURE, SHUTDOWN -> settled.complete(state);
      default -> channel.notifyWhenStateChanged(state, () -> look(channel, settled));
    }
  }

  /** Returns what gRPC says of a channel that is not connected; nothing if it is by now. */
  static CompletableFuture<Optional<String>> whyNot(ManagedChannel channel) {
    var why = new CompletableFuture<Optional<String>>();
    var call = channel.newCall(PROBE, CallOptions.DEFAULT.withDeadlineAfter(PROBE_S, TimeUnit.SECONDS));
    ClientCalls.asyncUnaryCall(call, new byte[0], new Answer(why));
    return why;
  }

  private record Answer(CompletableFuture<Optional<String>> why) implements StreamObserver<byte[]> {
    @Override
    public void onNext(byte[] health) {
      why.complete(Optional.empty());
    }

    @Override
    public void onError(Throwable thrown) {
      var status = Status.fromThrowable(thrown);
      var failed = status.getCode() == Status.Code.UNAVAILABLE;
      why.complete(failed ? Optional.of(Endpoint.text(status)) : Optional.empty());
    }

    @Override
    public void onCompleted() {
      why.complete(Optional.empty());
    }
  }

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
