package internal.payorch.testing;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import internal.payorch.Payorch;
import internal.payorch.v1.DiagnosticsServiceGrpc;
import internal.payorch.v1.PaymentOrchestrationServiceGrpc;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerBuilder;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** The services of a double, which answer by its script. For many threads. */
final class FakeServices implements ServerInterceptor {
  private static final Context.Key<Received> RECEIVED = Context.key("payorch-received");
  private static final String BEARER = "Bearer ";

  private final Script script = new Script();
  private final List<RecordedCall> calls = new ArrayList<>();

  /** What comes with a call besides its message. */
  private record Received(Map<String, String> metadata, String trackId) {
    private RecordedCall call(String rpc, Message request) {
      var authorization = metadata.getOrDefault("authorization", "");
      var token = authorization.startsWith(BEARER) ? authorization.substring(BEARER.length()) : authorization;
      return new RecordedCall(rpc, request, trackId, token, metadata, "", false);
    }
  }

  <B extends ServerBuilder<B>> B addedTo(B builder) {
    var health = new HealthStatusManager();
    health.setStatus(PaymentOrchestrationServiceGrpc.SERVICE_NAME, ServingStatus.SERVING);
    return builder
        .addService(definition(PaymentOrchestrationServiceGrpc.getServiceDescriptor()))
        .addService(definition(DiagnosticsServiceGrpc.getServiceDescriptor()))
        .addService(health.getHealthService())
        .intercept(this)
        .directExecutor();
  }

  synchronized void plan(String rpc, int times, Script.Ending ending) {
    script.plan(rpc, times, ending);
  }

  synchronized List<RecordedCall> calls() {
    return List.copyOf(calls);
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    var metadata = texts(headers);
    var own = metadata.getOrDefault(Payorch.TRACK_ID.name(), "");
    var received = new Received(metadata, own.isEmpty() ? UUID.randomUUID().toString() : own);
    var context = Context.current().withValue(RECEIVED, received);
    var named = new SimpleForwardingServerCall<Q, A>(call) {
      @Override
      public void close(Status status, Metadata trailers) {
        trailers.put(Payorch.TRACK_ID, received.trackId());
        super.close(status, trailers);
      }
    };
    return Contexts.interceptCall(context, named, headers, next);
  }

  private ServerServiceDefinition definition(ServiceDescriptor service) {
    var definition = ServerServiceDefinition.builder(service);
    service.getMethods().forEach(method -> add(definition, method));
    return definition.build();
  }

  private <Q, A> void add(ServerServiceDefinition.Builder definition, MethodDescriptor<Q, A> method) {
    definition.addMethod(
        method,
        ServerCalls.asyncUnaryCall((request, observer) -> answer(method, (Message) request, observer)));
  }

  private <A> void answer(MethodDescriptor<?, A> method, Message request, StreamObserver<A> observer) {
    var result = result(method, RECEIVED.get().call(method.getBareMethodName(), request));
    if (result.ending() instanceof Script.Failed failed) {
      observer.onError(failed.failure().thrown(method.getBareMethodName(), result.call().trackId()));
    } else if (result.ending() instanceof Script.WithoutDetails without) {
      observer.onError(without.status().asRuntimeException());
    } else {
      observer.onNext(method.parseResponse(result.answer().toByteString().newInput()));
      observer.onCompleted();
    }
  }

  private synchronized Script.Result result(MethodDescriptor<?, ?> method, RecordedCall call) {
    var empty = (Message) method.parseResponse(ByteString.EMPTY.newInput());
    var result = script.answer(call, empty);
    calls.add(result.call());
    return result;
  }

  private static Map<String, String> texts(Metadata headers) {
    var texts = new LinkedHashMap<String, String>();
    for (var key : headers.keys()) {
      if (!key.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        texts.put(key, headers.get(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER)));
      }
    }
    return Map.copyOf(texts);
  }
}
