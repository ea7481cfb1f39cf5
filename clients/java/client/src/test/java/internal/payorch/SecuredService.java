package internal.payorch;

import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.CreateSessionResponse;
import internal.payorch.v1.PaymentOrchestrationServiceGrpc.PaymentOrchestrationServiceImplBase;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.TlsServerCredentials;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** A service with TLS that remembers who called, and holds calls back if it is given a queue for them. */
final class SecuredService extends PaymentOrchestrationServiceImplBase implements ServerInterceptor {
  private final Certificates own;
  private final ByteArrayOutputStream trusted = new ByteArrayOutputStream();
  private final List<String> callers = new CopyOnWriteArrayList<>();
  private volatile BlockingQueue<StreamObserver<CreateSessionResponse>> held;
  private Server running;

  SecuredService(Certificates own, Certificates... callers) {
    this.own = own;
    for (var caller : callers) {
      trusted.writeBytes(caller.certificate());
    }
  }

  /** Starts it; returns its port. */
  int start() throws IOException {
    var credentials =
        TlsServerCredentials.newBuilder()
            .keyManager(new ByteArrayInputStream(own.certificate()), new ByteArrayInputStream(own.key()))
            .trustManager(new ByteArrayInputStream(trusted.toByteArray()))
            .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
            .build();
    running = Grpc.newServerBuilderForPort(0, credentials).addService(this).intercept(this).build().start();
    return running.getPort();
  }

  void stop() {
    running.shutdownNow();
  }

  List<String> callers() {
    return List.copyOf(callers);
  }

  void hold(BlockingQueue<StreamObserver<CreateSessionResponse>> calls) {
    held = calls;
  }

  @Override
  public void createSession(CreateSessionRequest request, StreamObserver<CreateSessionResponse> observer) {
    if (held != null) {
      held.add(observer);
      return;
    }
    observer.onNext(ScriptedService.SESSION);
    observer.onCompleted();
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    try {
      callers.add(session.getPeerPrincipal().getName());
    } catch (SSLPeerUnverifiedException e) {
      callers.add("");
    }
    return next.startCall(call, headers);
  }
}
