package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.rpc.BadRequest.FieldViolation;
import internal.payorch.v1.Advice;
import internal.payorch.v1.Outcome;
import io.grpc.Status.Code;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The message of an exception is enough for a ticket. */
class ErrorTextTest {
  private static CallError error(String message, int violations, String omitted) {
    return new CallError(
        Code.INVALID_ARGUMENT,
        message,
        "REQUEST_INVALID",
        Outcome.OUTCOME_NOT_SENT,
        Advice.ADVICE_FIX_REQUEST,
        "ticket-1",
        IntStream.range(0, violations)
            .mapToObj(index -> FieldViolation.newBuilder().setField("f" + index).setDescription("is wrong").build())
            .toList(),
        Map.of("violationsOmitted", omitted),
        Optional.empty(),
        List.of("1", "2"),
        Optional.empty(),
        Optional.empty(),
        "");
  }

  private static PayorchException raised(CallError error, CallError... others) {
    var attempts = new java.util.ArrayList<>(List.of(error));
    attempts.addAll(List.of(others));
    return PayorchException.of(new PayorchException.Failure(error, "order-1", attempts, "https://docs/errors"), null);
  }

  @Test
  void namesAllThatATicketNeeds() {
    assertEquals(
        "REQUEST_INVALID: It is wrong. [f0: is wrong; f1: is wrong; f2: is wrong; and 9 more] "
            + "(outcome NOT_SENT, advice FIX_REQUEST, request id order-1, Track-Id ticket-1, Zuora codes 1 2, "
            + "https://docs/errors#request_invalid)",
        raised(error("It is wrong.", 5, "7")).getMessage());
  }

  @Test
  void saysNothingTwice() {
    var one = raised(error("It breaks rules. f0: is wrong", 1, "")).getMessage();
    var two = raised(error("It breaks rules. f0: is wrong", 2, "")).getMessage();

    assertEquals("REQUEST_INVALID: It breaks rules. f0: is wrong", one.substring(0, one.indexOf(" (")));
    assertEquals(
        "REQUEST_INVALID: It breaks rules. f0: is wrong [f1: is wrong]", two.substring(0, two.indexOf(" (")));
  }

  @Test
  void leavesOutTheFirstViolationAloneAndWhereItEndsTheMessage() {
    for (var message : List.of("f0: is wrong, it says", "It breaks rules. f1: is wrong", "rules.f0: is wrong")) {
      var text = raised(error(message, 2, "")).getMessage();

      assertEquals(
          "REQUEST_INVALID: %s [f0: is wrong; f1: is wrong]".formatted(message), text.substring(0, text.indexOf(" (")));
    }
  }

  @Test
  void countsNothingThatIsNoNumber() {
    assertEquals(
        "REQUEST_INVALID: It is wrong. [f0: is wrong] (outcome NOT_SENT, advice FIX_REQUEST, request id order-1, "
            + "Track-Id ticket-1, Zuora codes 1 2, https://docs/errors#request_invalid)",
        raised(error("It is wrong.", 1, "99999999999")).getMessage());
  }

  @Test
  void namesHowTheLastAttemptEnded() {
    assertEquals(
        "UNAVAILABLE: gone (outcome NOT_SENT, advice RESEND_SAME_REQUEST_ID, after 2 attempts, the last one ended as "
            + "REQUEST_INVALID, request id order-1, https://docs/errors#outcomes-and-advice)",
        raised(CallError.notStarted(Code.UNAVAILABLE, "gone", ""), error("", 0, "")).getMessage());
  }

  @Test
  void isOneLine() {
    var text = raised(error("a\nb\r\t\u2028\u0007\ud800\u00a0\u00fc", 0, "")).getMessage();

    var expected = "REQUEST_INVALID: a\\nb\\r\\t\\u{2028}\\u{7}\\u{d800}\\u{a0}\u00fc";
    assertEquals(expected, text.substring(0, text.indexOf(" (")));
  }

  @Test
  void survivesSerialization() throws IOException, ClassNotFoundException {
    var raised = raised(error("It is wrong.", 1, ""));
    var bytes = new ByteArrayOutputStream();
    new ObjectOutputStream(bytes).writeObject(raised);

    var read = (NotSentException) new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray())).readObject();

    assertEquals(raised.getMessage(), read.getMessage());
    assertEquals("order-1", read.getRequestId());
  }
}
