package conformance;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import internal.payorch.CallSettings;
import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.ExplainRouteRequest;
import internal.payorch.v1.GetCallRequest;
import internal.payorch.v1.GetIntentRequest;
import internal.payorch.v1.GetQuotaRequest;
import java.util.concurrent.CompletableFuture;

/** The RPCs that a case may call, by their names. */
enum Rpc {
  CreateSession(
      CreateSessionRequest.parser(),
      (clients, request, settings) -> clients.payments().createSession((CreateSessionRequest) request, settings),
      (clients, request, settings) -> clients.payments().createSessionAsync((CreateSessionRequest) request, settings)),
  DecryptApplePay(
      DecryptApplePayRequest.parser(),
      (clients, request, settings) ->
          clients.payments().decryptApplePay((DecryptApplePayRequest) request, settings),
      (clients, request, settings) ->
          clients.payments().decryptApplePayAsync((DecryptApplePayRequest) request, settings)),
  CreatePaymentMethod(
      CreatePaymentMethodRequest.parser(),
      (clients, request, settings) ->
          clients.payments().createPaymentMethod((CreatePaymentMethodRequest) request, settings),
      (clients, request, settings) ->
          clients.payments().createPaymentMethodAsync((CreatePaymentMethodRequest) request, settings)),
  GetIntent(
      GetIntentRequest.parser(),
      (clients, request, settings) -> clients.payments().getIntent((GetIntentRequest) request, settings),
      (clients, request, settings) -> clients.payments().getIntentAsync((GetIntentRequest) request, settings)),
  ExplainRoute(
      ExplainRouteRequest.parser(),
      (clients, request, settings) -> clients.diagnostics().explainRoute((ExplainRouteRequest) request, settings),
      (clients, request, settings) -> clients.diagnostics().explainRouteAsync((ExplainRouteRequest) request, settings)),
  GetCall(
      GetCallRequest.parser(),
      (clients, request, settings) -> clients.diagnostics().getCall((GetCallRequest) request, settings),
      (clients, request, settings) -> clients.diagnostics().getCallAsync((GetCallRequest) request, settings)),
  GetQuota(
      GetQuotaRequest.parser(),
      (clients, request, settings) -> clients.diagnostics().getQuota((GetQuotaRequest) request, settings),
      (clients, request, settings) -> clients.diagnostics().getQuotaAsync((GetQuotaRequest) request, settings));

  private final Parser<? extends Message> parser;
  private final Method<Message> blocking;
  private final Method<CompletableFuture<? extends Message>> asynchronous;

  Rpc(
      Parser<? extends Message> parser,
      Method<Message> blocking,
      Method<CompletableFuture<? extends Message>> asynchronous) {
    this.parser = parser;
    this.blocking = blocking;
    this.asynchronous = asynchronous;
  }

  /** A method of a client. */
  private interface Method<T> {
    T call(Runner.Clients clients, Message request, CallSettings settings);
  }

  Message parsed(byte[] request) {
    try {
      return parser.parseFrom(request);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException(e);
    }
  }

  Message call(Runner.Clients clients, Message request, CallSettings settings) {
    return blocking.call(clients, request, settings);
  }

  CompletableFuture<? extends Message> future(Runner.Clients clients, Message request, CallSettings settings) {
    return asynchronous.call(clients, request, settings);
  }
}
