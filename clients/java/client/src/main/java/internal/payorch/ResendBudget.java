package internal.payorch;

/** Stops resends while many calls of a client fail, as gRPC's own retry throttling does. For many threads. */
final class ResendBudget {
  private static final double MOST_TOKENS = 10;
  private static final double TOKENS_OF_SUCCESS = 0.1;

  private double tokens = MOST_TOKENS;

  synchronized void succeeded() {
    tokens = Math.min(MOST_TOKENS, tokens + TOKENS_OF_SUCCESS);
  }

  /** Counts a failure; returns whether it may be sent again. */
  synchronized boolean allowsResend() {
    tokens = Math.max(0, tokens - 1);
    return tokens > MOST_TOKENS / 2;
  }
}
