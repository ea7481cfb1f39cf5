package internal.payorch;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import internal.payorch.v1.Advice;
import internal.payorch.v1.CallOutcome;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.CreateSessionResponse;
import internal.payorch.v1.Outcome;
import internal.payorch.v1.PaymentOrchestrationServiceGrpc.PaymentOrchestrationServiceImplBase;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.List;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** Answers CreateSession in this process by a script, call by call; after its end with a session. */
final class ScriptedService extends PaymentOrchestrationServiceImplBase implements ServerInterceptor, AutoCloseable {
  static final CreateSessionResponse SESSION = session();

  final List<CreateSessionRequest> requests = new CopyOnWriteArrayList<>();
  final List<Metadata> headers = new CopyOnWriteArrayList<>();
  private final Queue<Consumer<StreamObserver<CreateSessionResponse>>> script = new ConcurrentLinkedQueue<>();
  private final String name = UUID.randomUUID().toString();
  private final Server server;

  ScriptedService() {
    try {
      server = InProcessServerBuilder.forName(name).addService(this).intercept(this).build().start();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  PayorchClient.Builder builder() {
    var config = ServiceConfig.ofOperators(); // it reports no health
    return InternalTesting.inProcess(
        PayorchClient.builder("in-process").serviceConfig(config), () -> InProcessChannelBuilder.forName(name));
  }

  ScriptedService then(Consumer<StreamObserver<CreateSessionResponse>> answer) {
    script.add(answer);
    return this;
  }

  ScriptedService thenFail(Status.Code code, Outcome outcome, Advice advice) {
    return then(observer -> observer.onError(failure(code, outcome, advice)));
  }

  ScriptedService thenUnknown() {
    return thenFail(Status.Code.UNAVAILABLE, Outcome.OUTCOME_UNKNOWN, Advice.ADVICE_RESEND_SAME_REQUEST_ID);
  }

  /** Does not answer until the caller leaves, and says once it was called. */
  ScriptedService thenHang(Runnable called) {
    return then(observer -> called.run());
  }

  static StatusRuntimeException failure(Status.Code code, Outcome outcome, Advice advice) {
    var told = CallOutcome.newBuilder().setOutcome(outcome).setAdvice(advice);
    var info = ErrorInfo.newBuilder().setDomain("payorch").setReason(outcome.name());
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .addDetails(Any.pack(info.build()))
            .addDetails(Any.pack(told.build()))
            .build());
  }

  static CreateSessionRequest request() {
    var request = CreateSessionRequest.newBuilder().setRequestId("order-4711-attempt-1");
    request.getOneTimePaymentBuilder().setAccountId("a").setAmount(Amounts.money("1", "USD"));
    return request.build();
  }

  @Override
  public void createSession(CreateSessionRequest request, StreamObserver<CreateSessionResponse> observer) {
    requests.add(request);
    var answer = script.poll();
    if (answer != null) {
      answer.accept(observer);
    } else {
      observer.onNext(SESSION);
      observer.onCompleted();
    }
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata given, ServerCallHandler<Q, A> next) {
    headers.add(given);
    return next.startCall(call, given);
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private static CreateSessionResponse session() {
    var answer = CreateSessionResponse.newBuilder();
    answer.getSessionBuilder().setToken("a-token");
    return answer.build();
  }
}
