package internal.payorch.testing;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What an error with a reason looks like. The catalogue is generated from the service's own tables; what an entry lacks
 * is null.
 */
record Reason(
    String code,
    String message,
    String outcome,
    String advice,
    Map<String, String> adviceByRpc,
    Double retryDelaySeconds,
    List<String> metadata,
    boolean namesFields) {
  /** All of them, by name. */
  static final Map<String, Reason> CATALOGUE = read();

  private static final long MS_PER_S = 1000;
  private static final int MOST_DISTANCE = 6;
  private static final int MOST_NAMES = 3;

  /** Returns what RetryInfo says, if anything. */
  Optional<Duration> retryDelay() {
    return Optional.ofNullable(retryDelaySeconds).map(delay -> Duration.ofMillis(Math.round(delay * MS_PER_S)));
  }

  /** Returns the names that one may have been meant to be, the nearest first. */
  static List<String> near(String name) {
    return CATALOGUE.keySet().stream()
        .filter(known -> distance(name, known) <= MOST_DISTANCE)
        .sorted(Comparator.comparingInt(known -> distance(name, known)))
        .limit(MOST_NAMES)
        .toList();
  }

  /** Returns how many letters have to be added, removed or replaced to make one text of another. */
  private static int distance(String from, String to) {
    var row = new int[to.length() + 1];
    for (var column = 0; column <= to.length(); column++) {
      row[column] = column;
    }
    for (var line = 1; line <= from.length(); line++) {
      var diagonal = row[0];
      row[0] = line;
      for (var column = 1; column <= to.length(); column++) {
        var replaced = diagonal + (from.charAt(line - 1) == to.charAt(column - 1) ? 0 : 1);
        diagonal = row[column];
        row[column] = Math.min(replaced, 1 + Math.min(row[column], row[column - 1]));
      }
    }
    return row[to.length()];
  }

  private static Map<String, Reason> read() {
    var file = Objects.requireNonNull(Reason.class.getResourceAsStream("reasons.json"));
    try (Reader reader = new InputStreamReader(file, StandardCharsets.UTF_8)) {
      return Collections.unmodifiableMap(new Gson().fromJson(reader, new TypeToken<Map<String, Reason>>() {}));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
