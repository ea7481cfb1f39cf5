package internal.payorch;

import io.grpc.Status;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a client connects to, as far as it matters for what may be wrong if there is no connection.
 *
 * @param target as the caller wrote it
 * @param plaintext whether it does without TLS
 * @param showsCertificate whether it has a client certificate
 */
record Endpoint(String target, boolean plaintext, boolean showsCertificate) {
  private static final int MOST_CAUSES = 8;

  /**
   * Returns the error of a call that was never started for want of a connection.
   *
   * @param text what gRPC says of the connection; empty: nothing yet
   */
  CallError notConnected(String text) {
    var hint = hint(text);
    var because = hint.isEmpty() ? "" : ": " + hint;
    var said = text.isEmpty() ? "" : " [gRPC: %s]".formatted(text);
    return CallError.notStarted(
        Status.Code.UNAVAILABLE, "no connection to %s%s%s".formatted(target, because, said), hint);
  }

  /** Returns what a status says in one line: its text without the pipeline of Netty's, and that of its causes. */
  static String text(Status status) {
    var text = firstLine(status.getDescription());
    var cause = status.getCause();
    for (var depth = 0; cause != null && depth < MOST_CAUSES; depth++) {
      var said = firstLine(cause.getMessage());
      if (!text.contains(said)) {
        text = text.isEmpty() ? said : text + ": " + said;
      }
      cause = cause.getCause();
    }
    return text;
  }

  private static String firstLine(String text) {
    return text == null ? "" : text.lines().findFirst().orElse("").strip();
  }

  private String hint(String text) {
    if (text.isEmpty()) {
      return "it was not made in time";
    }
    return hints().entrySet().stream()
        .filter(known -> text.contains(known.getKey()))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse("");
  }

  /** Returns hints by the piece of gRPC's text that they explain. */
  private Map<String, String> hints() {
    var hints = new LinkedHashMap<String, String>();
    hints.put("Connection refused", "nothing listens there; check host and port");
    hints.put("not an SSL/TLS record", "the server speaks no TLS; plaintext() connects without, if that is intended");
    hints.put(
        "unable to find valid certification path",
        "the server's certificate is not trusted; name its authority with tls(Tls.fromFiles(...))");
    hints.put("No subject alternative", "the server's certificate is for another host name");
    hints.put("No name matching", "the server's certificate is for another host name");
    hints.put("Unable to resolve host", "the host name is not known");
    hints.put("First received frame was not SETTINGS", hintOfClosing());
    hints.put("Network closed", hintOfClosing());
    hints.put("closed", hintOfClosing());
    hints.put("reset", hintOfClosing());
    return hints;
  }

  private String hintOfClosing() {
    if (plaintext) {
      return "the server closed it at once, as one that speaks TLS does; connect without plaintext()";
    }
    return showsCertificate
        ? "the server closed it at once; it may not accept the client's certificate"
        : "the server closed it at once; it may require a client certificate";
  }
}
