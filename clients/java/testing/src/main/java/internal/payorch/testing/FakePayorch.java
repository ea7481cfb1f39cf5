package internal.payorch.testing;

import internal.payorch.DiagnosticsClient;
import internal.payorch.InternalTesting;
import internal.payorch.PayorchClient;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.UUID;

/**
 * A double of the service, in this process.
 *
 * <p>It answers as the service does: idempotent by request id, with the errors that it is given. Clients of {@link
 * #connect} and of the builders resend without waiting.
 */
public final class FakePayorch implements AutoCloseable {
  private static final String ANY_RPC = "";

  private final String name = UUID.randomUUID().toString();
  private final FakeServices services = new FakeServices();
  private final Server server;

  /** Starts it. */
  public FakePayorch() {
    try {
      server = services.addedTo(InProcessServerBuilder.forName(name)).build().start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** {@return a client of this double} */
  public PayorchClient connect() {
    return builder().build();
  }

  /** {@return a client of this double's listener for operators} */
  public DiagnosticsClient connectDiagnostics() {
    return diagnosticsBuilder().build();
  }

  /** {@return a builder of clients of this double, for those that resend or authenticate in their own way} */
  public PayorchClient.Builder builder() {
    return InternalTesting.inProcess(PayorchClient.builder(name), this::channel);
  }

  /** {@return a builder of clients of this double's listener for operators} */
  public DiagnosticsClient.Builder diagnosticsBuilder() {
    return InternalTesting.inProcess(DiagnosticsClient.builder(name), this::channel);
  }

  /**
   * Makes the next call fail as the service does.
   *
   * @param reason name of an {@code ErrorReason} without its prefix, such as {@code PAYMENT_DECLINED}
   * @throws IllegalArgumentException there is no such reason
   */
  public void failWith(String reason) {
    failWith(Failure.of(reason));
  }

  /**
   * Makes the next call fail as the service does.
   *
   * @param failure with its details
   */
  public void failWith(Failure failure) {
    failWith(failure, 1, ANY_RPC);
  }

  /**
   * Makes the next calls fail as the service does.
   *
   * @param failure with its details
   * @param times how many calls, after those of earlier plans
   * @param rpc only calls of this RPC, such as {@code CreateSession}; empty: of any
   */
  public void failWith(Failure failure, int times, String rpc) {
    services.plan(rpc, times, new Script.Failed(failure));
  }

  /**
   * Makes the next call fail as with a proxy between client and service: nothing is known of its outcome.
   *
   * @param status of the call
   */
  public void failWithoutDetails(Status status) {
    failWithoutDetails(status, 1, ANY_RPC);
  }

  /**
   * Makes the next calls fail as with a proxy between client and service: nothing is known of their outcome.
   *
   * @param status of the calls
   * @param times how many calls, after those of earlier plans
   * @param rpc only calls of this RPC, such as {@code CreateSession}; empty: of any
   */
  public void failWithoutDetails(Status status, int times, String rpc) {
    services.plan(rpc, times, new Script.WithoutDetails(status));
  }

  /** {@return the calls that were received, in their order} */
  public List<RecordedCall> calls() {
    return services.calls();
  }

  /** {@return the calls that were executed, each intent once} */
  public List<RecordedCall> executed() {
    return calls().stream().filter(RecordedCall::executed).toList();
  }

  /** Ends it, and the calls in progress. */
  @Override
  public void close() {
    server.shutdownNow();
  }

  private InProcessChannelBuilder channel() {
    return InProcessChannelBuilder.forName(name);
  }
}
