package internal.payorch;

import com.google.rpc.BadRequest.FieldViolation;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** An error in one line: what, which fields, what it means, and the ids by which others find the call. */
final class ErrorText {
  /** The page with every reason, in the project's repository. */
  static final String ERRORS_URL = "docs/errors.md";

  private static final int MOST_VIOLATIONS = 3;
  private static final String OMITTED = "violationsOmitted";

  private ErrorText() {}

  static String of(PayorchException.Failure failure) {
    var error = failure.error();
    var anchor = error.reason().isEmpty() ? "outcomes-and-advice" : error.reason().toLowerCase(Locale.ROOT);
    return printable(
        "%s: %s%s (%s, %s#%s)"
            .formatted(
                error.name(),
                error.message(),
                fields(error),
                String.join(", ", facts(failure)),
                failure.errorsUrl(),
                anchor));
  }

  /** Returns a text in which nothing can begin a new line or hide: what others wrote is part of it. */
  static String printable(String text) {
    return text.codePoints()
        .mapToObj(point -> isPrintable(point) ? Character.toString(point) : escaped(point))
        .collect(Collectors.joining());
  }

  /**
   * Returns the first violations in brackets, and how many there are beside them. The service puts
   * the first one at the end of the message, and then it is left out here.
   */
  private static String fields(CallError error) {
    var shown =
        error.violations().stream()
            .limit(MOST_VIOLATIONS)
            .map(ErrorText::field)
            .collect(Collectors.toCollection(ArrayList::new));
    if (!shown.isEmpty() && (" " + error.message()).endsWith(" " + shown.get(0))) {
      shown.remove(0);
    }
    var omitted = error.metadata().getOrDefault(OMITTED, "");
    var left = Math.max(error.violations().size() - MOST_VIOLATIONS, 0);
    var more = left + (omitted.matches("[0-9]{1,9}") ? Integer.parseInt(omitted) : 0);
    if (more > 0) {
      shown.add("and %d more".formatted(more));
    }
    return shown.isEmpty() ? "" : " [%s]".formatted(String.join("; ", shown));
  }

  private static String field(FieldViolation violation) {
    return violation.getField() + ": " + violation.getDescription();
  }

  private static List<String> facts(PayorchException.Failure failure) {
    var error = failure.error();
    var attempts = failure.attempts();
    var newest = attempts.get(attempts.size() - 1);
    var facts = new ArrayList<String>();
    facts.add("outcome " + withoutPrefix(error.outcome().name()));
    facts.add("advice " + withoutPrefix(error.advice().name()));
    if (attempts.size() > 1) {
      facts.add("after %d attempts".formatted(attempts.size()));
    }
    if (newest != error) {
      facts.add("the last one ended as " + newest.name());
    }
    if (!failure.requestId().isEmpty()) {
      facts.add("request id " + failure.requestId());
    }
    if (!error.trackId().isEmpty()) {
      facts.add("Track-Id " + error.trackId());
    }
    if (!error.zuoraCodes().isEmpty()) {
      facts.add("Zuora codes " + String.join(" ", error.zuoraCodes()));
    }
    return facts;
  }

  private static String withoutPrefix(String name) {
    return name.substring(name.indexOf('_') + 1);
  }

  private static boolean isPrintable(int point) {
    return switch (Character.getType(point)) {
      case Character.CONTROL,
          Character.FORMAT,
          Character.SURROGATE,
          Character.PRIVATE_USE,
          Character.UNASSIGNED,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR -> false;
      case Character.SPACE_SEPARATOR -> point == ' ';
      default -> true;
    };
  }

  private static String escaped(int point) {
    return switch (point) {
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      default -> "\\u{%x}".formatted(point);
    };
  }
}
