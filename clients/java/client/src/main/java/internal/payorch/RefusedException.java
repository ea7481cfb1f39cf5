package internal.payorch;

/** Zuora refused, and did nothing. */
public final class RefusedException extends PayorchException {
  private static final long serialVersionUID = 1;

  RefusedException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
