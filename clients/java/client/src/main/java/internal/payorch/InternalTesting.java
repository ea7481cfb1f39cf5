package internal.payorch;

import io.grpc.ManagedChannelBuilder;
import java.util.function.Supplier;

/** For {@code payorch-testing} alone; not a part of what this package promises. */
public final class InternalTesting {
  private InternalTesting() {}

  /**
   * {@return a builder of clients that reach a server of this process, and resend without waiting}
   *
   * @param builder of a client
   * @param channel makes its channel
   * @param <B> the builder
   */
  public static <B extends ClientBuilder<B, ?>> B inProcess(B builder, Supplier<ManagedChannelBuilder<?>> channel) {
    builder.connectInProcess(channel);
    return builder;
  }
}
