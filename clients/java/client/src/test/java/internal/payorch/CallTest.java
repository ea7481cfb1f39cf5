package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import internal.payorch.v1.Advice;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.Outcome;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A call with its attempts, over gRPC within this process. */
class CallTest {
  private static final CreateSessionRequest REQUEST = ScriptedService.request();
  private static final Metadata.Key<String> TRACEPARENT =
      Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);
  private static final SpanContext SPAN =
      SpanContext.create(
          "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", TraceFlags.getSampled(), TraceState.getDefault());
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final ScriptedService service = new ScriptedService();

  @AfterEach
  void stop() {
    service.close();
  }

  private static Object called(PayorchClient client, boolean waits) {
    return waits ? client.createSession(REQUEST) : client.createSessionAsync(REQUEST).join();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void isSentAgainAsTheSameBytes(boolean waits) {
    service.thenUnknown().thenUnknown();
    try (var client = service.builder().build()) {
      called(client, waits);
    }

    assertEquals(List.of(REQUEST, REQUEST, REQUEST), service.requests);
  }

  @Test
  void namesTheRequestIdInAnAnswerThatDoesNot() {
    try (var client = service.builder().build()) {
      assertEquals(REQUEST.getRequestId(), client.createSession(REQUEST).getCall().getRequestId());

      var made = client.createSession(REQUEST.toBuilder().clearRequestId().build()).getCall().getRequestId();

      assertEquals(7, UUID.fromString(made).version());
      assertEquals(made, service.requests.get(1).getRequestId());
    }
  }

  @Test
  void isRaisedAsItsLeastCertainAttempt() {
    service.thenUnknown();
    service.thenFail(Status.Code.PERMISSION_DENIED, Outcome.OUTCOME_NOT_SENT, Advice.ADVICE_FIX_REQUEST);
    try (var client = service.builder().build()) {
      var failed = assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST));

      assertEquals(2, failed.getAttempts().size());
      assertSame(failed.getAttempts().get(0), failed.getError());
      assertEquals(REQUEST.getRequestId(), failed.getRequestId());
    }
  }

  @Test
  void carriesTheSameTraceInEveryAttempt() {
    service.thenUnknown().thenUnknown();
    try (var client = service.builder().build();
        var ignored = Span.wrap(SPAN).makeCurrent()) {
      client.createSession(REQUEST);
      client.createSessionAsync(REQUEST).join();
    }

    var expected = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assertEquals(4, service.headers.stream().filter(sent -> expected.equals(sent.get(TRACEPARENT))).count());
  }

  @Test
  void runsInTheContextOfItsCaller() {
    var key = Context.<String>key("of the caller");
    var seen = new ArrayList<String>();
    ClientInterceptor looking = new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> rpc, CallOptions options, Channel next) {
        seen.add(key.get() + " " + Span.current().getSpanContext().isValid());
        return next.newCall(rpc, options);
      }
    };
    service.thenUnknown();
    try (var client = service.builder().channel(builder -> builder.intercept(looking)).build();
        var ignored = Span.wrap(SPAN).makeCurrent()) {
      Context.current().withValue(key, "value").run(() -> client.createSessionAsync(REQUEST).join());
    }

    assertEquals(List.of("value true", "value true"), seen);
  }

  @Test
  void endsNoLaterThanTheCallItIsMadeFor() {
    service.thenHang(() -> {});
    var timer = java.util.concurrent.Executors.newSingleThreadScheduledExecutor();
    var outer = Context.current().withDeadlineAfter(200, TimeUnit.MILLISECONDS, timer);
    try (var client = service.builder().build()) {
      outer.run(() -> assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST)));
    } finally {
      outer.cancel(null);
      timer.shutdownNow();
    }

    assertEquals(1, service.requests.size());
  }

  @Test
  void isOfUnknownOutcomeOnceItsDeadlineHasPassed() {
    service.thenHang(() -> {});
    try (var client = service.builder().build()) {
      var settings = CallSettings.deadline(Duration.ofMillis(100));
      var failed = assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST, settings));

      assertEquals(Status.Code.DEADLINE_EXCEEDED, failed.getError().code());
      assertEquals(1, failed.getAttempts().size());
    }
  }

  @Test
  void isNotSentWithoutAConnection() {
    var builder = PayorchClient.builder("in-process").serviceConfig(ServiceConfig.ofOperators());
    InternalTesting.inProcess(builder, () -> InProcessChannelBuilder.forName("nothing"));
    try (var client = builder.build()) {
      var failed = assertThrows(NotSentException.class, () -> client.createSession(REQUEST));

      assertEquals("", failed.getError().reason());
      assertEquals(4, failed.getAttempts().size());
    }
  }

  @Test
  void isInDoubtWhereTheServiceIsGoneBeforeTheResend() {
    service.then(observer -> {
      observer.onError(Status.UNAVAILABLE.asRuntimeException());
      service.close();
    });
    try (var client = service.builder().build()) {
      var failed = assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST));

      assertSame(failed.getAttempts().get(0), failed.getError());
    }
  }

  @Test
  void isCancelledByAnInterrupt() {
    service.thenHang(Thread.currentThread()::interrupt);
    try (var client = service.builder().build()) {
      var failed = assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST));

      assertTrue(Thread.interrupted());
      assertEquals(Status.Code.CANCELLED, failed.getError().code());
      assertEquals(1, service.requests.size());
    }
  }

  @Test
  void isNotSentByAThreadThatIsInterruptedAlready() {
    try (var client = service.builder().build()) {
      Thread.currentThread().interrupt();
      var failed = assertThrows(NotSentException.class, () -> client.createSession(REQUEST));

      assertTrue(Thread.interrupted());
      assertEquals("the thread was interrupted before it was sent", failed.getError().message());
      assertEquals(List.of(), service.requests);
    }
  }

  @Test
  void isCancelledWithItsFuture() throws InterruptedException {
    var called = new CountDownLatch(1);
    var left = new CountDownLatch(1);
    service.then(observer -> {
      ((io.grpc.stub.ServerCallStreamObserver<?>) observer).setOnCancelHandler(left::countDown);
      called.countDown();
    });
    try (var client = service.builder().build()) {
      var future = client.createSessionAsync(REQUEST);
      called.await();

      assertTrue(future.cancel(true));

      left.await();
      assertThrows(CancellationException.class, future::join);
      assertEquals(1, service.requests.size());
    }
  }

  @Test
  void doesNotBeginOnceTheClientIsClosed() {
    var client = service.builder().build();
    client.close();

    assertThrows(IllegalStateException.class, () -> client.createSession(REQUEST));
    assertThrows(IllegalStateException.class, () -> client.createSessionAsync(REQUEST));
  }

  @Test
  void isOfUnknownOutcomeWhereTheClientIsClosedMeanwhile() {
    var client = service.builder().build();
    service.thenHang(client::close);

    var failed = assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST));

    assertEquals(1, service.requests.size());
    assertEquals(Outcome.OUTCOME_UNKNOWN, failed.getError().outcome());
  }

  @Test
  void raisesWhatASupplierRaises() {
    var broken = new IllegalStateException("no key");
    try (var client = service.builder().token(refresh -> { throw broken; }).build()) {
      assertSame(broken, assertThrows(IllegalStateException.class, () -> client.createSession(REQUEST)));

      var wrapped = assertThrows(CompletionException.class, () -> client.createSessionAsync(REQUEST).join());
      assertSame(broken, wrapped.getCause());
    }
    assertEquals(List.of(), service.requests);
  }

  @Test
  void keepsItsDoubtWhereASupplierFailsLater() {
    service.thenUnknown();
    var broken = new IllegalStateException("no key");
    var asked = new ArrayList<Boolean>();
    TokenSupplier supplier = refresh -> {
      asked.add(refresh);
      if (asked.size() > 1) {
        throw broken;
      }
      return "token";
    };
    try (var client = service.builder().token(supplier).build()) {
      var failed = assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST));

      assertSame(broken, failed.getCause());
      assertEquals(List.of(false, false), asked);
    }
  }

  @Test
  void isSentAgainWithAFreshTokenOnly() {
    service.thenFail(Status.Code.UNAUTHENTICATED, Outcome.OUTCOME_NOT_SENT, Advice.ADVICE_RESEND_SAME_REQUEST_ID);
    try (var client = service.builder().withoutResend().token(refresh -> refresh ? "fresh" : "stale").build()) {
      client.createSession(REQUEST);
    }

    assertEquals(
        List.of("Bearer stale", "Bearer fresh"),
        service.headers.stream().map(sent -> sent.get(AUTHORIZATION)).toList());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " token", "token\n", "to ken", "t\u00f6ken", "to\u0000ken"})
  void takesNoTokenThatNoHeaderMayContain(String token) {
    try (var client = service.builder().token(refresh -> token).build()) {
      var refused = assertThrows(IllegalArgumentException.class, () -> client.createSession(REQUEST));

      assertTrue(refused.getMessage().startsWith("token: it "), refused.getMessage());
      assertTrue(token.isEmpty() || !refused.getMessage().contains(token));
    }
    assertEquals(List.of(), service.requests);
  }

  @Test
  void isOfUnknownOutcomeWhereAnInterceptorFailsAfterTheSend() {
    ClientInterceptor failing = new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> rpc, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(rpc, options)) {
          @Override
          public void halfClose() {
            super.halfClose();
            throw new IllegalStateException("a mistake of the caller's");
          }
        };
      }
    };
    try (var client =
        service.builder().resend(Resend.of(1, Duration.ofSeconds(20))).channel(to -> to.intercept(failing)).build()) {
      var failed = assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST));

      assertInstanceOf(IllegalStateException.class, failed.getCause());
    }
  }

  @Test
  void isNotLostWithItsExecutor() {
    var runs = new ArrayList<Runnable>();
    java.util.concurrent.Executor refusing = step -> {
      if (!runs.isEmpty()) {
        throw new RejectedExecutionException();
      }
      runs.add(step);
      step.run();
    };
    try (var client = service.builder().executor(refusing).build()) {
      assertNotEquals("", client.createSessionAsync(REQUEST).join().getSession().getToken());
    }
  }

  @Test
  void isAnAnswerOnlyWithAMessage() {
    service.then(observer -> observer.onCompleted());
    try (var client = service.builder().resend(Resend.of(1, Duration.ofSeconds(20))).build()) {
      assertThrows(OutcomeUnknownException.class, () -> client.createSession(REQUEST));
    }
  }
}
