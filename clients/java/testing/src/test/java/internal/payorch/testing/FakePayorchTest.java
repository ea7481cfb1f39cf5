package internal.payorch.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import internal.payorch.Amounts;
import internal.payorch.CallSettings;
import internal.payorch.DiagnosticsClient;
import internal.payorch.NotSentException;
import internal.payorch.OutcomeUnknownException;
import internal.payorch.PayorchClient;
import internal.payorch.PayorchException;
import internal.payorch.RefusedException;
import internal.payorch.Resend;
import internal.payorch.v1.AmountCheck;
import internal.payorch.v1.CallOutcome;
import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.ExistingIds;
import internal.payorch.v1.GetIntentRequest;
import internal.payorch.v1.GetQuotaRequest;
import internal.payorch.v1.IntentState;
import internal.payorch.v1.NoCharge;
import internal.payorch.v1.Operation;
import internal.payorch.v1.Outcome;
import internal.payorch.v1.Replay;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The double answers as the service does. */
class FakePayorchTest {
  private static final String ORDER = "order-4711-0000001";

  private final FakePayorch fake = new FakePayorch();
  private final PayorchClient client = fake.builder().resend(Resend.of(1, Duration.ofSeconds(20))).build();

  @AfterEach
  void close() {
    client.close();
    fake.close();
  }

  private static CreateSessionRequest session() {
    return session("a");
  }

  private static CreateSessionRequest session(String account) {
    var request = CreateSessionRequest.newBuilder().setRequestId(ORDER);
    request.getOneTimePaymentBuilder().setAccountId(account);
    return request.build();
  }

  private static GetIntentRequest question() {
    return GetIntentRequest.newBuilder()
        .setRequestId(ORDER)
        .setOperation(Operation.OPERATION_CREATE_SESSION)
        .build();
  }

  private <T extends PayorchException> T failed(Class<T> kind) {
    return assertThrows(kind, () -> client.createSession(session()));
  }

  private static JsonObject catalogue() {
    try {
      return new Gson().fromJson(Files.readString(Path.of("../../reasons.json")), JsonObject.class);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  static Stream<String> reasons() {
    return catalogue().keySet().stream();
  }

  @ParameterizedTest
  @MethodSource("reasons")
  void failsAsTheServiceDoes(String reason) {
    var entry = catalogue().getAsJsonObject(reason);
    fake.failWith(Failure.of(reason), 2, "");

    var session = failed(PayorchException.class).getError();
    var request = DecryptApplePayRequest.newBuilder().setRequestId(ORDER);
    request.getZuoraDefaultBuilder();
    request.getNoChargeBuilder();
    var decryption =
        assertThrows(PayorchException.class, () -> client.decryptApplePay(request.build())).getError();

    var byRpc = entry.has("adviceByRpc") ? entry.getAsJsonObject("adviceByRpc") : new JsonObject();
    var ofSession = byRpc.has("CreateSession") ? byRpc.get("CreateSession") : entry.get("advice");
    assertEquals("ADVICE_" + ofSession.getAsString(), session.advice().name());
    assertEquals("ADVICE_" + entry.get("advice").getAsString(), decryption.advice().name());
    for (var error : List.of(session, decryption)) {
      assertEquals(reason, error.reason());
      assertEquals("OUTCOME_" + entry.get("outcome").getAsString(), error.outcome().name());
      assertEquals(entry.get("code").getAsString(), error.code().name());
      assertEquals(entry.get("message").getAsString(), error.message());
      assertEquals(entry.has("namesFields"), !error.violations().isEmpty());
      assertEquals(entry.has("retryDelaySeconds"), error.retryDelay().isPresent());
      assertFalse(error.trackId().isEmpty());
      var keys = new HashSet<String>();
      if (entry.has("metadata")) {
        entry.getAsJsonArray("metadata").forEach(key -> keys.add(key.getAsString()));
      }
      assertEquals(keys, error.metadata().keySet());
    }
  }

  @Test
  void knowsEveryReason() {
    assertEquals(catalogue().keySet(), Failure.reasons());
  }

  @Test
  void namesTheReasonThatWasMeant() {
    var refused = assertThrows(IllegalArgumentException.class, () -> fake.failWith("PAYMENT_DECLINE"));

    assertTrue(refused.getMessage().startsWith("reason: \"PAYMENT_DECLINE\" is none; did you mean PAYMENT_DECLINED"));
  }

  @Test
  void refusesAPlanThatContradictsItself() {
    var refused = assertThrows(IllegalArgumentException.class, () -> Failure.of("OVERLOADED").executed());

    assertEquals("executed: OVERLOADED says that the request was not executed", refused.getMessage());
    assertThrows(IllegalArgumentException.class, () -> fake.failWith(Failure.of("OVERLOADED"), 0, ""));
  }

  @Test
  void givesTheDetailsOfAFailure() {
    fake.failWith(
        Failure.of("ROUTE_HINT_CONTRADICTED")
            .metadata("hint", "entity")
            .zuoraCodes("1", "2")
            .retryAfter(Duration.ofMillis(1500))
            .existing(ExistingIds.newBuilder().setPaymentId("p").build()));

    var error = failed(NotSentException.class).getError();

    assertEquals(Map.of("rule", "example", "hint", "entity"), error.metadata());
    assertEquals(List.of("1", "2"), error.zuoraCodes());
    assertEquals(Optional.of(Duration.ofMillis(1500)), error.retryDelay());
    assertEquals("p", error.callOutcome().map(CallOutcome::getExisting).map(ExistingIds::getPaymentId).orElse(""));
  }

  @Test
  void executesAnIntentOnce() {
    var first = client.createSession(session());
    var again = client.createSession(session());

    assertEquals(first.getSession(), again.getSession());
    assertEquals(Replay.REPLAY_NO, first.getCall().getReplayed());
    assertEquals(Replay.REPLAY_YES, again.getCall().getReplayed());
    assertEquals(List.of(true, false), fake.calls().stream().map(RecordedCall::executed).toList());
  }

  @Test
  void refusesAnotherRequestByTheFieldsThatDiffer() {
    client.createSession(session());
    var refused = assertThrows(NotSentException.class, () -> client.createSession(session("b")));

    assertEquals("INTENT_MISMATCH", refused.getError().reason());
    assertEquals(List.of("one_time_payment"), fields(refused));
  }

  private static List<String> fields(PayorchException refused) {
    return refused.getError().violations().stream().map(violation -> violation.getField()).toList();
  }

  @Test
  void keepsARefusal() {
    fake.failWith("PAYMENT_DECLINED");

    assertEquals("PAYMENT_DECLINED", failed(RefusedException.class).getError().reason());
    assertEquals("PAYMENT_DECLINED", failed(RefusedException.class).getError().reason());
    assertEquals(List.of(), fake.executed());
  }

  @Test
  void keepsAnIntentOpenAfterAnUnknownOutcome() {
    fake.failWith("UPSTREAM_NO_ANSWER");
    failed(OutcomeUnknownException.class);
    var before = client.getIntent(question());
    client.createSession(session());
    var after = client.getIntent(question());

    assertEquals(Outcome.OUTCOME_UNKNOWN, before.getCallOutcome().getOutcome());
    assertEquals(Outcome.OUTCOME_SUCCEEDED, after.getCallOutcome().getOutcome());
    assertEquals(2, after.getTrackIdsCount());
  }

  @Test
  void findsNoIntentThatWasNeverCalled() {
    assertEquals(IntentState.INTENT_STATE_NOT_FOUND, client.getIntent(question()).getIntentState());
  }

  @Test
  void losesAnAnswerAndReplaysItToTheResend() {
    fake.failWith(Failure.of("UPSTREAM_NO_ANSWER").executed());
    try (var resending = fake.connect()) {
      assertEquals(Replay.REPLAY_YES, resending.createSession(session()).getCall().getReplayed());
    }

    assertEquals(
        List.of("UPSTREAM_NO_ANSWER true", " false"),
        fake.calls().stream().map(call -> call.reason() + " " + call.executed()).toList());
  }

  @Test
  void failsAsAProxyDoes() {
    client.createSession(session());
    fake.failWithoutDetails(Status.UNAVAILABLE.withDescription("no healthy upstream"));

    var error = failed(OutcomeUnknownException.class).getError();

    assertEquals("", error.reason());
    assertEquals("no healthy upstream", error.message());
    assertEquals("UNAVAILABLE", fake.calls().get(1).reason());
  }

  @Test
  void refusesWhatBreaksARule() {
    var request = CreateSessionRequest.newBuilder().setRequestId("short").build();
    var refused = assertThrows(NotSentException.class, () -> client.createSession(request));

    assertEquals(List.of("request_id", "flow"), fields(refused));
    assertEquals(List.of("REQUEST_INVALID"), fake.calls().stream().map(RecordedCall::reason).toList());
  }

  @Test
  void failsTheRpcThatWasPlanned() {
    fake.failWith(Failure.of("PAYMENT_DECLINED"), 1, "CreatePaymentMethod");

    assertEquals("fake-session-1", client.createSession(session()).getSession().getToken());
    var method = CreatePaymentMethodRequest.newBuilder().setRequestId(ORDER);
    method.getNoAccountBuilder();
    method.getSepaDebitBuilder();
    assertThrows(RefusedException.class, () -> client.createPaymentMethod(method.build()));
  }

  @Test
  void executesNothingThatIsOnlyChecked() {
    var answer = client.createSession(session().toBuilder().setValidateOnly(true).build());

    assertFalse(answer.hasSession());
    assertTrue(answer.hasUpstreamRequest());
    assertEquals(List.of(), fake.executed());
  }

  @Test
  void answersOperators() {
    try (DiagnosticsClient operators = fake.connectDiagnostics()) {
      operators.getQuota(GetQuotaRequest.newBuilder().setTenant("acme").build());
      fake.failWith("OVERLOADED");
      operators.getQuota(GetQuotaRequest.newBuilder().setTenant("acme").build());
    }

    assertEquals(List.of("", "OVERLOADED", ""), fake.calls().stream().map(RecordedCall::reason).toList());
  }

  @Test
  void recordsWhatCameWithACall() {
    try (var authenticated = fake.builder().token(refresh -> "a-token").build()) {
      authenticated.createSession(session(), CallSettings.trackId("ticket-1"));
    }

    var call = fake.calls().get(0);
    assertEquals("CreateSession", call.rpc());
    assertEquals(ORDER, call.requestId());
    assertEquals(session(), call.request());
    assertEquals("ticket-1", call.trackId());
    assertEquals("a-token", call.token());
    assertTrue(call.metadata().get("user-agent").startsWith("payorch-java/"), call.metadata().toString());
    assertEquals("RecordedCall[CreateSession, order-4711-0000001, succeeded, executed]", call.toString());
  }

  @Test
  void paysAnInvoice() {
    var decryption = DecryptApplePayRequest.newBuilder().setRequestId(ORDER);
    decryption.getZuoraDefaultBuilder();
    decryption.getPayInvoiceBuilder().setInvoice("INV00000001");
    var method = CreatePaymentMethodRequest.newBuilder().setRequestId(ORDER);
    method.getNoAccountBuilder();
    method.getApplePayBuilder().getPayInvoiceBuilder().setInvoice("INV00000001");

    var paid = client.decryptApplePay(decryption.build());
    var created = client.createPaymentMethod(method.build());

    assertEquals("fake-payment-1", paid.getPaymentId());
    assertEquals("fake-payment-2", created.getPaymentMethod().getPaymentId());
    assertEquals("fake-method-1", paid.getPaymentMethodId());
    assertEquals("fake-method-2", created.getPaymentMethod().getId());
  }

  @Test
  void reportsTheExpectedAmountOfAPayment() {
    var request = DecryptApplePayRequest.newBuilder().setRequestId(ORDER);
    request.setExpectedAmount(Amounts.money("12.50", "USD")).getZuoraDefaultBuilder();
    request.getPayInvoiceBuilder().setInvoice("INV00000001");
    var unpaid = request.clone().setRequestId(ORDER + "2").setNoCharge(NoCharge.getDefaultInstance());

    var paid = client.decryptApplePay(request.build());

    assertEquals(AmountCheck.AMOUNT_CHECK_EQUAL, paid.getAmountCheck());
    assertEquals("12.5", paid.getReportedAmount());
    assertEquals(AmountCheck.AMOUNT_CHECK_NOT_REPORTED, client.decryptApplePay(unpaid.build()).getAmountCheck());
    var unasked = unpaid.setRequestId(ORDER + "3").clearExpectedAmount().build();
    assertEquals(AmountCheck.AMOUNT_CHECK_UNSPECIFIED, client.decryptApplePay(unasked).getAmountCheck());
  }

  @Test
  void isGoneOnceItIsClosed() {
    fake.close();

    assertEquals("", failed(NotSentException.class).getError().reason());
  }
}
