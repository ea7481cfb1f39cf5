package internal.payorch;

/** Supplies the caller's JSON Web Token. It is called for every attempt, so it has to cache it. */
@FunctionalInterface
public interface TokenSupplier {
  /**
   * {@return the token, without a blank or a line break around it}
   *
   * @param refresh whether the last one was not accepted: then it must be a fresh one
   */
  String token(boolean refresh);
}
