package internal.payorch;

import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.CreatePaymentMethodResponse;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.CreateSessionResponse;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.DecryptApplePayResponse;
import internal.payorch.v1.GetIntentRequest;
import internal.payorch.v1.GetIntentResponse;
import internal.payorch.v1.PaymentOrchestrationServiceGrpc;
import java.util.concurrent.CompletableFuture;

/**
 * Calls the service; safe to be used by many threads. Close it when it is no longer needed.
 *
 * <p>A call takes as long as {@link Resend#within} at most, unless its {@link CallSettings} have a deadline.
 */
public final class PayorchClient implements AutoCloseable {
  private final Sender sender;

  private PayorchClient(Sender sender) {
    this.sender = sender;
  }

  /**
   * {@return what builds a client of the service}
   *
   * @param target {@code host:port}, each of whose addresses is used in turn, or a target of gRPC with its scheme
   */
  public static Builder builder(String target) {
    return new Builder(target);
  }

  /** How such a client connects. */
  public static final class Builder extends ClientBuilder<Builder, PayorchClient> {
    Builder(String target) {
      super(target, Payorch.SERVICE_CONFIG);
    }

    @Override
    public PayorchClient build() {
      return new PayorchClient(sender());
    }

    @Override
    Builder self() {
      return this;
    }
  }

  /**
   * Creates a payment session for Zuora's JavaScript library. Without a request id it gets a fresh one.
   *
   * @param request is never changed
   * @return the session, and the call with its request id
   * @throws PayorchException by its subclass: not sent, refused, partly done, or unknown
   */
  public CreateSessionResponse createSession(CreateSessionRequest request) {
    return createSession(request, CallSettings.NONE);
  }

  /**
   * Does the same with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the session, and the call with its request id
   * @throws PayorchException by its subclass: not sent, refused, partly done, or unknown
   */
  public CreateSessionResponse createSession(CreateSessionRequest request, CallSettings settings) {
    return sender.call(PaymentOrchestrationServiceGrpc.getCreateSessionMethod(), request, settings);
  }

  /**
   * Does the same without waiting.
   *
   * @param request is never changed
   * @return the session, and the call with its request id, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<CreateSessionResponse> createSessionAsync(CreateSessionRequest request) {
    return createSessionAsync(request, CallSettings.NONE);
  }

  /**
   * Does the same without waiting, with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the session, and the call with its request id, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<CreateSessionResponse> createSessionAsync(
      CreateSessionRequest request, CallSettings settings) {
    return sender.start(PaymentOrchestrationServiceGrpc.getCreateSessionMethod(), request, settings);
  }

  /**
   * Creates a payment method of an Apple Pay token and, if asked, pays an invoice.
   *
   * @param request is never changed
   * @return the ids of what was created
   * @throws IllegalArgumentException it pays an invoice and has no request id
   * @throws PayorchException by its subclass: not sent, refused, partly done, or unknown
   */
  public DecryptApplePayResponse decryptApplePay(DecryptApplePayRequest request) {
    return decryptApplePay(request, CallSettings.NONE);
  }

  /**
   * Does the same with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the ids of what was created
   * @throws IllegalArgumentException it pays an invoice and has no request id
   * @throws PayorchException by its subclass: not sent, refused, partly done, or unknown
   */
  public DecryptApplePayResponse decryptApplePay(DecryptApplePayRequest request, CallSettings settings) {
    return sender.call(PaymentOrchestrationServiceGrpc.getDecryptApplePayMethod(), request, settings);
  }

  /**
   * Does the same without waiting.
   *
   * @param request is never changed
   * @return the ids of what was created, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<DecryptApplePayResponse> decryptApplePayAsync(DecryptApplePayRequest request) {
    return decryptApplePayAsync(request, CallSettings.NONE);
  }

  /**
   * Does the same without waiting, with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the ids of what was created, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<DecryptApplePayResponse> decryptApplePayAsync(
      DecryptApplePayRequest request, CallSettings settings) {
    return sender.start(PaymentOrchestrationServiceGrpc.getDecryptApplePayMethod(), request, settings);
  }

  /**
   * Creates a payment method and, with an Apple Pay token, pays an invoice if asked.
   *
   * @param request is never changed
   * @return the payment method
   * @throws IllegalArgumentException it pays an invoice and has no request id
   * @throws PayorchException by its subclass: not sent, refused, partly done, or unknown
   */
  public CreatePaymentMethodResponse createPaymentMethod(CreatePaymentMethodRequest request) {
    return createPaymentMethod(request, CallSettings.NONE);
  }

  /**
   * Does the same with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the payment method
   * @throws IllegalArgumentException it pays an invoice and has no request id
   * @throws PayorchException by its subclass: not sent, refused, partly done, or unknown
   */
  public CreatePaymentMethodResponse createPaymentMethod(CreatePaymentMethodRequest request, CallSettings settings) {
    return sender.call(PaymentOrchestrationServiceGrpc.getCreatePaymentMethodMethod(), request, settings);
  }

  /**
   * Does the same without waiting.
   *
   * @param request is never changed
   * @return the payment method, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<CreatePaymentMethodResponse> createPaymentMethodAsync(CreatePaymentMethodRequest request) {
    return createPaymentMethodAsync(request, CallSettings.NONE);
  }

  /**
   * Does the same without waiting, with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the payment method, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<CreatePaymentMethodResponse> createPaymentMethodAsync(
      CreatePaymentMethodRequest request, CallSettings settings) {
    return sender.start(PaymentOrchestrationServiceGrpc.getCreatePaymentMethodMethod(), request, settings);
  }

  /**
   * Finds out what became of an intent; sends nothing to Zuora.
   *
   * @param request is never changed
   * @return what became of it
   * @throws IllegalArgumentException it names no request id
   * @throws PayorchException it could not be found out
   */
  public GetIntentResponse getIntent(GetIntentRequest request) {
    return getIntent(request, CallSettings.NONE);
  }

  /**
   * Does the same with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return what became of it
   * @throws IllegalArgumentException it names no request id
   * @throws PayorchException it could not be found out
   */
  public GetIntentResponse getIntent(GetIntentRequest request, CallSettings settings) {
    return sender.call(PaymentOrchestrationServiceGrpc.getGetIntentMethod(), request, settings);
  }

  /**
   * Does the same without waiting.
   *
   * @param request is never changed
   * @return what became of it, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<GetIntentResponse> getIntentAsync(GetIntentRequest request) {
    return getIntentAsync(request, CallSettings.NONE);
  }

  /**
   * Does the same without waiting, with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return what became of it, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<GetIntentResponse> getIntentAsync(GetIntentRequest request, CallSettings settings) {
    return sender.start(PaymentOrchestrationServiceGrpc.getGetIntentMethod(), request, settings);
  }

  /** Ends the connections; calls in progress are cancelled. */
  @Override
  public void close() {
    sender.close();
  }
}
