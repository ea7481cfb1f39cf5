package conformance;

import com.google.protobuf.Message;
import internal.payorch.NotSentException;
import internal.payorch.OutcomeUnknownException;
import internal.payorch.PartialException;
import internal.payorch.PayorchException;
import internal.payorch.RefusedException;
import internal.payorch.v1.ExistingIds;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;

/** What is seen of a call. */
final class Seen {
  private static final Map<Class<? extends PayorchException>, String> KINDS =
      Map.of(
          NotSentException.class, "not_sent",
          RefusedException.class, "refused",
          PartialException.class, "partial",
          OutcomeUnknownException.class, "unknown");
  private static final double NANOS_PER_S = 1e9;
  private static final int FIRST_NOT_ASCII = 0x80;

  private Seen() {}

  static Map<String, Object> ok(Message answer) {
    var seen = new LinkedHashMap<String, Object>();
    seen.put("kind", "ok");
    seen.put("answer", Base64.getEncoder().encodeToString(answer.toByteArray()));
    return seen;
  }

  static Map<String, Object> failed(Throwable thrown) {
    if (thrown instanceof PayorchException failed) {
      return failed(failed);
    }
    var seen = new LinkedHashMap<String, Object>();
    if (thrown instanceof CancellationException) {
      seen.put("kind", "cancelled");
    } else if (thrown instanceof IllegalArgumentException) {
      seen.put("kind", "argument");
      seen.put("text", thrown.getMessage());
    } else {
      throw new IllegalStateException(thrown);
    }
    return seen;
  }

  private static Map<String, Object> failed(PayorchException failed) {
    var error = failed.getError();
    var existing =
        error.callOutcome().map(outcome -> outcome.getExisting()).orElse(ExistingIds.getDefaultInstance());
    var seen = new LinkedHashMap<String, Object>();
    seen.put("kind", KINDS.get(failed.getClass()));
    seen.put("text", failed.getMessage());
    seen.put("code", error.code().name());
    seen.put("reason", error.reason());
    seen.put("outcome", error.outcome().name());
    seen.put("advice", error.advice().name());
    seen.put("message", error.message());
    seen.put("hint", error.hint());
    seen.put(
        "violations",
        error.violations().stream()
            .map(violation -> List.of(violation.getField(), violation.getReason(), violation.getDescription()))
            .toList());
    seen.put("metadata", error.metadata());
    seen.put("retry_delay_s", error.retryDelay().map(delay -> delay.toNanos() / NANOS_PER_S).orElse(null));
    seen.put("resend_before", error.resendBeforeTime().isPresent());
    seen.put("track_id", error.trackId());
    seen.put("request_id", failed.getRequestId());
    seen.put("zuora_codes", error.zuoraCodes());
    seen.put("existing", List.of(existing.getPaymentMethodId(), existing.getPaymentId()));
    seen.put("attempts", failed.getAttempts().size());
    return seen;
  }

  /** Returns JSON with every other letter escaped. */
  static String ascii(String json) {
    return json.chars()
        .mapToObj(unit -> unit < FIRST_NOT_ASCII ? String.valueOf((char) unit) : "\\u%04x".formatted(unit))
        .collect(Collectors.joining());
  }
}
