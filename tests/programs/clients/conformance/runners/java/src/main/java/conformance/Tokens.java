package conformance;

import internal.payorch.TokenSupplier;
import java.util.ArrayList;
import java.util.List;

/** Supplies the tokens of a case: the first one, and with each refusal the next. */
final class Tokens implements TokenSupplier {
  private final List<Boolean> asked = new ArrayList<>();
  private List<String> tokens;

  Tokens(List<String> tokens) {
    this.tokens = tokens;
  }

  @Override
  public synchronized String token(boolean refresh) {
    asked.add(refresh);
    if (refresh && tokens.size() > 1) {
      tokens = tokens.subList(1, tokens.size());
    }
    return tokens.get(0);
  }

  synchronized List<Boolean> asked() {
    return List.copyOf(asked);
  }
}
