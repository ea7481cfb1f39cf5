package internal.payorch;

/** Nothing of this call reached Zuora; an earlier call of the same intent may have. */
public final class NotSentException extends PayorchException {
  private static final long serialVersionUID = 1;

  NotSentException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
