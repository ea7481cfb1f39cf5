package internal.payorch;

/** It may or may not have been done; start no new intent before that is settled. */
public final class OutcomeUnknownException extends PayorchException {
  private static final long serialVersionUID = 1;

  OutcomeUnknownException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
