package internal.payorch;

import java.util.List;

/**
 * A call that failed. The subclass says what happened at Zuora, the advice of {@link #getError} what to do next.
 *
 * <p>Its message alone is enough for a ticket: it names reason, broken fields, request id and Track-Id. The details are
 * not serialized with it.
 */
public abstract sealed class PayorchException extends RuntimeException
    permits NotSentException, RefusedException, PartialException, OutcomeUnknownException {
  private static final long serialVersionUID = 1;

  private final transient CallError error;
  private final transient List<CallError> attempts;
  private final String requestId;

  PayorchException(Failure failure, Throwable cause) {
    super(ErrorText.of(failure), cause);
    this.error = failure.error();
    this.attempts = failure.attempts();
    this.requestId = failure.requestId();
  }

  /**
   * How a call failed.
   *
   * @param error of its least certain attempt
   * @param requestId empty where the call has none
   * @param attempts how all attempts ended, in their order
   * @param errorsUrl of the page that the message links to
   */
  record Failure(CallError error, String requestId, List<CallError> attempts, String errorsUrl) {}

  /** Returns the exception for a failure; an outcome that is not known here is an unknown one. */
  static PayorchException of(Failure failure, Throwable cause) {
    return switch (failure.error().outcome()) {
      case OUTCOME_NOT_SENT -> new NotSentException(failure, cause);
      case OUTCOME_REFUSED -> new RefusedException(failure, cause);
      case OUTCOME_PARTIAL -> new PartialException(failure, cause);
      default -> new OutcomeUnknownException(failure, cause);
    };
  }

  /** {@return the error of the least certain attempt, decoded} */
  public final CallError getError() {
    return error;
  }

  /** {@return the request id of the intent, for a resend; empty where the call has none} */
  public final String getRequestId() {
    return requestId;
  }

  /** {@return how all attempts of the call ended, in their order} */
  public final List<CallError> getAttempts() {
    return attempts;
  }
}
