package internal.payorch.testing;

import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import internal.payorch.Amounts;
import internal.payorch.v1.AmountCheck;
import internal.payorch.v1.CallInfo;
import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.CreatePaymentMethodResponse;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.CreateSessionResponse;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.DecryptApplePayResponse;
import internal.payorch.v1.Replay;
import internal.payorch.v1.UpstreamRequest;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/** The successful answers of a double of the service, and the rules that it checks. */
final class Answers {
  static final String REQUEST_ID = "request_id";
  static final String RULE_OF_ID = "must be 16 to 128 characters from 0x21 to 0x7E";

  private static final String FORM_OF_ID = "[!-~]{16,128}";
  private static final UpstreamRequest UPSTREAM =
      UpstreamRequest.newBuilder().setMethod("POST").setUri("https://zuora.invalid/").build();

  private Answers() {}

  /** Returns the request id; empty where a message has none. */
  static String requestId(Message message) {
    var field = message.getDescriptorForType().findFieldByName(REQUEST_ID);
    return field == null ? "" : (String) message.getField(field);
  }

  /** Returns whether a request is only to be checked. */
  static boolean onlyChecks(Message request) {
    var field = request.getDescriptorForType().findFieldByName("validate_only");
    return field != null && (boolean) request.getField(field);
  }

  /** Returns what is wrong with a request, by field. The service knows many more rules. */
  static Map<String, String> brokenRules(Message request) {
    var wrong = new LinkedHashMap<String, String>();
    if (!requestId(request).matches(FORM_OF_ID)) {
      wrong.put(REQUEST_ID, RULE_OF_ID);
    }
    for (var group : request.getDescriptorForType().getRealOneofs()) {
      if (!request.hasOneof(group)) {
        wrong.put(group.getName(), "exactly one field is required in oneof");
      }
    }
    return wrong;
  }

  /** Returns the answer to a request that is executed as the one with this number, or only checked. */
  static Message executed(Message request, String trackId, int number) {
    var checks = onlyChecks(request);
    var call = CallInfo.newBuilder().setTrackId(trackId).setRequestId(requestId(request)).setMatchedRule("fake");
    call.getRouteTakenBuilder().setTenant("fake");
    if (!checks) {
      call.setReplayed(Replay.REPLAY_NO).setAttemptCount(1).setExecutedTrackId(trackId).setFirstSendTime(now());
    }
    if (request instanceof CreateSessionRequest) {
      return session(call.build(), checks, number);
    }
    if (request instanceof DecryptApplePayRequest decryption) {
      return decryption(decryption, call.build(), checks, number);
    }
    return method((CreatePaymentMethodRequest) request, call.build(), checks, number);
  }

  private static Message session(CallInfo call, boolean checks, int number) {
    var answer = CreateSessionResponse.newBuilder().setCall(call);
    if (checks) {
      return answer.setUpstreamRequest(UPSTREAM).build();
    }
    answer.getSessionBuilder().setToken("fake-session-" + number);
    return answer.build();
  }

  private static Message decryption(DecryptApplePayRequest request, CallInfo call, boolean checks, int number) {
    var answer = DecryptApplePayResponse.newBuilder().setCall(call);
    if (checks) {
      return answer.setUpstreamRequest(UPSTREAM).build();
    }
    answer.setPaymentMethodId("fake-method-" + number);
    if (request.hasExpectedAmount()) {
      answer.setAmountCheck(AmountCheck.AMOUNT_CHECK_NOT_REPORTED);
    }
    if (request.hasPayInvoice()) {
      answer.setPaymentId("fake-payment-" + number);
      reportAmount(request, answer);
    }
    return answer.build();
  }

  /** Reports the expected amount as the one that was paid, because nothing here reads tokens. */
  private static void reportAmount(DecryptApplePayRequest request, DecryptApplePayResponse.Builder answer) {
    if (request.hasExpectedAmount()) {
      answer
          .setReportedAmount(Amounts.decimalOf(request.getExpectedAmount()).toPlainString())
          .setAmountCheck(AmountCheck.AMOUNT_CHECK_EQUAL);
    }
  }

  private static Message method(CreatePaymentMethodRequest request, CallInfo call, boolean checks, int number) {
    var answer = CreatePaymentMethodResponse.newBuilder().setCall(call);
    if (checks) {
      return answer.setUpstreamRequest(UPSTREAM).build();
    }
    answer
        .getPaymentMethodBuilder()
        .setId("fake-method-" + number)
        .setPaymentId(request.getApplePay().hasPayInvoice() ? "fake-payment-" + number : "");
    return answer.build();
  }

  /** Returns an answer that was given before, for another call. */
  static Message replayed(Message answer, String trackId) {
    var field = answer.getDescriptorForType().findFieldByName("call");
    var call = ((CallInfo) answer.getField(field)).toBuilder().setReplayed(Replay.REPLAY_YES).setTrackId(trackId);
    return answer.toBuilder().setField(field, call.build()).build();
  }

  private static Timestamp now() {
    var now = Instant.now();
    return Timestamp.newBuilder().setSeconds(now.getEpochSecond()).setNanos(now.getNano()).build();
  }
}
