package internal.payorch;

import internal.payorch.v1.DiagnosticsServiceGrpc;
import internal.payorch.v1.ExplainRouteRequest;
import internal.payorch.v1.ExplainRouteResponse;
import internal.payorch.v1.GetCallRequest;
import internal.payorch.v1.GetCallResponse;
import internal.payorch.v1.GetQuotaRequest;
import internal.payorch.v1.GetQuotaResponse;
import java.util.concurrent.CompletableFuture;

/**
 * Asks the service's listener for operators; safe to be used by many threads. Close it when it is no longer needed.
 */
public final class DiagnosticsClient implements AutoCloseable {
  private final Sender sender;

  private DiagnosticsClient(Sender sender) {
    this.sender = sender;
  }

  /**
   * {@return what builds a client of the listener for operators}
   *
   * @param target {@code host:port}, each of whose addresses is used in turn, or a target of gRPC with its scheme
   */
  public static Builder builder(String target) {
    return new Builder(target);
  }

  /** How such a client connects. */
  public static final class Builder extends ClientBuilder<Builder, DiagnosticsClient> {
    Builder(String target) {
      super(target, ServiceConfig.ofOperators());
    }

    @Override
    public DiagnosticsClient build() {
      return new DiagnosticsClient(sender());
    }

    @Override
    Builder self() {
      return this;
    }
  }

  /**
   * Explains where a call would go.
   *
   * @param request is never changed
   * @return where, and why
   * @throws PayorchException it could not be found out
   */
  public ExplainRouteResponse explainRoute(ExplainRouteRequest request) {
    return explainRoute(request, CallSettings.NONE);
  }

  /**
   * Does the same with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return where, and why
   * @throws PayorchException it could not be found out
   */
  public ExplainRouteResponse explainRoute(ExplainRouteRequest request, CallSettings settings) {
    return sender.call(DiagnosticsServiceGrpc.getExplainRouteMethod(), request, settings);
  }

  /**
   * Does the same without waiting.
   *
   * @param request is never changed
   * @return where, and why, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<ExplainRouteResponse> explainRouteAsync(ExplainRouteRequest request) {
    return explainRouteAsync(request, CallSettings.NONE);
  }

  /**
   * Does the same without waiting, with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return where, and why, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<ExplainRouteResponse> explainRouteAsync(ExplainRouteRequest request, CallSettings settings) {
    return sender.start(DiagnosticsServiceGrpc.getExplainRouteMethod(), request, settings);
  }

  /**
   * Finds the records of the calls with a Track-Id.
   *
   * @param request is never changed
   * @return the records
   * @throws PayorchException it could not be found out
   */
  public GetCallResponse getCall(GetCallRequest request) {
    return getCall(request, CallSettings.NONE);
  }

  /**
   * Does the same with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the records
   * @throws PayorchException it could not be found out
   */
  public GetCallResponse getCall(GetCallRequest request, CallSettings settings) {
    return sender.call(DiagnosticsServiceGrpc.getGetCallMethod(), request, settings);
  }

  /**
   * Does the same without waiting.
   *
   * @param request is never changed
   * @return the records, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<GetCallResponse> getCallAsync(GetCallRequest request) {
    return getCallAsync(request, CallSettings.NONE);
  }

  /**
   * Does the same without waiting, with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return the records, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<GetCallResponse> getCallAsync(GetCallRequest request, CallSettings settings) {
    return sender.start(DiagnosticsServiceGrpc.getGetCallMethod(), request, settings);
  }

  /**
   * Finds out how much of Zuora's limits is left.
   *
   * @param request is never changed
   * @return what is left
   * @throws PayorchException it could not be found out
   */
  public GetQuotaResponse getQuota(GetQuotaRequest request) {
    return getQuota(request, CallSettings.NONE);
  }

  /**
   * Does the same with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return what is left
   * @throws PayorchException it could not be found out
   */
  public GetQuotaResponse getQuota(GetQuotaRequest request, CallSettings settings) {
    return sender.call(DiagnosticsServiceGrpc.getGetQuotaMethod(), request, settings);
  }

  /**
   * Does the same without waiting.
   *
   * @param request is never changed
   * @return what is left, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<GetQuotaResponse> getQuotaAsync(GetQuotaRequest request) {
    return getQuotaAsync(request, CallSettings.NONE);
  }

  /**
   * Does the same without waiting, with settings of the call's own.
   *
   * @param request is never changed
   * @param settings what the call has of its own
   * @return what is left, or what would be thrown; to cancel it cancels the call
   */
  public CompletableFuture<GetQuotaResponse> getQuotaAsync(GetQuotaRequest request, CallSettings settings) {
    return sender.start(DiagnosticsServiceGrpc.getGetQuotaMethod(), request, settings);
  }

  /** Ends the connections; calls in progress are cancelled. */
  @Override
  public void close() {
    sender.close();
  }
}
