package smoke;

import com.google.gson.Gson;
import com.google.protobuf.ByteString;
import com.google.type.Money;
import internal.payorch.CallError;
import internal.payorch.Payorch;
import internal.payorch.v1.CallInfo;
import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.CreateSessionResponse;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.GetIntentRequest;
import internal.payorch.v1.Operation;
import internal.payorch.v1.PaymentOrchestrationServiceGrpc;
import internal.payorch.v1.PaymentOrchestrationServiceGrpc.PaymentOrchestrationServiceBlockingStub;
import internal.payorch.v1.StoredCredentialZuoraDefault;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** Calls a running service through the package and prints what it reads, one JSON object per line. */
public final class Smoke {
  private static final String ACCOUNT = "2c92c0f8000000000000000000000001";
  private static final long DEADLINE_S = 20;
  private static final Gson JSON = new Gson();

  private final PaymentOrchestrationServiceBlockingStub stub;

  private Smoke(PaymentOrchestrationServiceBlockingStub stub) {
    this.stub = stub;
  }

  /**
   * Runs every step.
   *
   * @param args host and port of the service; a file with an Apple Pay token
   */
  public static void main(String[] args) throws IOException {
    if (args.length != 2) {
      fail("Two arguments are needed: TARGET and TOKEN_FILE.");
    }
    var channel =
        Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create())
            .defaultServiceConfig(Payorch.SERVICE_CONFIG)
            .build();
    try {
      var smoke = new Smoke(PaymentOrchestrationServiceGrpc.newBlockingStub(channel));
      var requestId = smoke.session("session");
      smoke.applePay(Files.readAllBytes(Path.of(args[1])));
      smoke.method();
      smoke.intent(requestId);
      smoke.error();
      print("ready", Map.of());
      System.in.read();
      smoke.session("retry");
    } catch (StatusRuntimeException e) {
      fail("The call failed: " + CallError.from(e));
    } finally {
      channel.shutdownNow();
    }
  }

  private String session(String step) {
    var request = sessionRequest(ACCOUNT);
    var answer = create(request, step);
    var values = called(answer.getCall());
    values.put("token_length", answer.getSession().getToken().length());
    print(step, values);
    return request.getRequestId();
  }

  private void applePay(byte[] token) {
    var request =
        DecryptApplePayRequest.newBuilder()
            .setRequestId(UUID.randomUUID().toString())
            .setTokenJson(ByteString.copyFrom(token))
            .setMerchantId("merchant.example.payorch")
            .setAccountId(ACCOUNT)
            .setZuoraDefault(StoredCredentialZuoraDefault.getDefaultInstance())
            .setExpectedAmount(usd(12, 340_000_000));
    request.getPayInvoiceBuilder().setInvoice("INV00000001");
    var answer = tracked("apple-pay").decryptApplePay(request.build());
    var values = called(answer.getCall());
    values.put("payment_method_id", answer.getPaymentMethodId());
    values.put("payment_id", answer.getPaymentId());
    print("apple_pay", values);
  }

  private void method() {
    var request = CreatePaymentMethodRequest.newBuilder().setRequestId(UUID.randomUUID().toString());
    request.getAccountByNumberBuilder().setNumber("A00000001");
    request.getSepaDebitBuilder().setIban("DE89370400440532013000").getMandateBuilder().setId("mandate-1");
    var answer = tracked("method").createPaymentMethod(request.build());
    var values = called(answer.getCall());
    values.put("payment_method_id", answer.getPaymentMethod().getId());
    print("method", values);
  }

  private void intent(String requestId) {
    var request =
        GetIntentRequest.newBuilder().setRequestId(requestId).setOperation(Operation.OPERATION_CREATE_SESSION).build();
    print("intent", Map.of("state", tracked("intent").getIntent(request).getIntentState().name()));
  }

  private void error() {
    try {
      create(sessionRequest("unknown"), "error");
    } catch (StatusRuntimeException e) {
      var error = CallError.from(e);
      var values = new LinkedHashMap<String, Object>();
      values.put("code", error.code().value());
      values.put("reason", error.reason());
      values.put("outcome", error.outcome().name());
      values.put("advice", error.advice().name());
      values.put("track_id", error.trackId());
      values.put("zuora_codes", error.zuoraCodes());
      print("error", values);
      return;
    }
    fail("A session for an account that does not exist was created.");
  }

  private CreateSessionResponse create(CreateSessionRequest request, String step) {
    return tracked(step).createSession(request);
  }

  private PaymentOrchestrationServiceBlockingStub tracked(String step) {
    var metadata = new Metadata();
    metadata.put(Payorch.TRACK_ID, "smoke-java-" + step);
    return stub.withDeadlineAfter(DEADLINE_S, TimeUnit.SECONDS)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  private static CreateSessionRequest sessionRequest(String account) {
    var request = CreateSessionRequest.newBuilder().setRequestId(UUID.randomUUID().toString());
    request.getOneTimePaymentBuilder().setAccountId(account).setAmount(usd(100, 100_000_000));
    return request.build();
  }

  private static Money usd(long units, int nanos) {
    return Money.newBuilder().setCurrencyCode("USD").setUnits(units).setNanos(nanos).build();
  }

  private static Map<String, Object> called(CallInfo call) {
    var values = new LinkedHashMap<String, Object>();
    values.put("track_id", call.getTrackId());
    values.put("replayed", call.getReplayed().name());
    return values;
  }

  private static void print(String step, Map<String, ?> values) {
    var line = new LinkedHashMap<String, Object>();
    line.put("step", step);
    line.putAll(values);
    System.out.println(JSON.toJson(line));
  }

  private static void fail(String why) {
    System.err.println(why);
    System.exit(1);
  }
}
