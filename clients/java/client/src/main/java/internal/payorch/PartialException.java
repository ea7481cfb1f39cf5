package internal.payorch;

/** A part was done: {@code getError().callOutcome()} names what exists. */
public final class PartialException extends PayorchException {
  private static final long serialVersionUID = 1;

  PartialException(Failure failure, Throwable cause) {
    super(failure, cause);
  }
}
