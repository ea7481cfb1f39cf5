package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor.JavaType;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import com.google.protobuf.UnknownFieldSet;
import internal.payorch.v1.CallOutcome;
import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.CreateSessionRequest;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.PaymentOrchestrationServiceProto;
import internal.payorch.v1.Sensitivity;
import internal.payorch.v1.SensitivityProto;
import java.util.ArrayDeque;
import java.util.HashSet;
import org.junit.jupiter.api.Test;

/** What may be shown of a message. */
class RedactionTest {
  private static final String SECRET = "CANARY-4111111111111111";

  @Test
  void hasALineForEachValue() {
    var request = CreateSessionRequest.newBuilder().setRequestId("order\n1").setValidateOnly(true);
    request.getOneTimePaymentBuilder().setAccountId("a").setAmount(Amounts.money("1.5", "USD"));

    assertEquals(
        """
        request_id: "order\\n1"
        validate_only: true
        one_time_payment.amount.currency_code: "USD"
        one_time_payment.amount.units: 1
        one_time_payment.amount.nanos: 500000000
        one_time_payment.account_id: "a"\
        """
            .lines().sorted().toList(),
        Redaction.redacted(request.build()).lines().sorted().toList());
  }

  @Test
  void hidesWhatIsSensitive() {
    var request = DecryptApplePayRequest.newBuilder().setTokenJson(ByteString.copyFromUtf8(SECRET));

    assertEquals("token_json: [redacted]", Redaction.redacted(request.build()));
  }

  /** Every sensitive text of every request holds a canary; none is shown, and all else is. */
  @Test
  void hidesEveryFieldThatTheContractMarks() {
    var marked = 0;
    for (var rpc : PaymentOrchestrationServiceProto.getDescriptor().getServices().get(0).getMethods()) {
      var seen = new HashSet<Descriptor>();
      var open = new ArrayDeque<Descriptor>();
      open.add(rpc.getInputType());
      while (!open.isEmpty()) {
        var kind = open.poll();
        if (!seen.add(kind)) {
          continue;
        }
        for (var field : kind.getFields()) {
          if (field.getJavaType() == JavaType.MESSAGE && !field.isMapField()) {
            open.add(field.getMessageType());
          } else if (field.getJavaType() == JavaType.STRING && !field.isRepeated()) {
            var hidden = isMarked(field);
            marked += hidden ? 1 : 0;
            var text = Redaction.redacted(with(kind, field));
            assertEquals(hidden, !text.contains(SECRET), field.getFullName());
            assertTrue(text.contains(field.getName()), field.getFullName());
          }
        }
      }
    }

    assertTrue(marked > 10, "the contract marks %d texts".formatted(marked));
  }

  private static boolean isMarked(FieldDescriptor field) {
    var options = field.getOptions();
    return options.getDebugRedact()
        || options.getExtension(SensitivityProto.sensitivity) != Sensitivity.SENSITIVITY_UNSPECIFIED;
  }

  private static Message with(Descriptor kind, FieldDescriptor field) {
    return DynamicMessage.newBuilder(kind).setField(field, SECRET).build();
  }

  @Test
  void countsWhatThisVersionDoesNotKnow() {
    var field = UnknownFieldSet.Field.newBuilder().addLengthDelimited(ByteString.copyFromUtf8(SECRET)).build();
    var unknown = UnknownFieldSet.newBuilder().addField(9999, field).build();
    var request = CreatePaymentMethodRequest.newBuilder().setUnknownFields(unknown);

    assertEquals(".: 1 unknown fields", Redaction.redacted(request.build()));
    assertEquals(".: set, without a value", Redaction.redacted(CreatePaymentMethodRequest.getDefaultInstance()));
  }

  @Test
  void looksIntoTheDetailsOfErrors() {
    var told = CallOutcome.newBuilder().setTrackId("ticket-1").setOutcomeValue(99).build();
    var other = Any.newBuilder().setTypeUrl("type.googleapis.com/x.Y").setValue(ByteString.copyFromUtf8(SECRET));
    var status = com.google.rpc.Status.newBuilder().addDetails(Any.pack(told)).addDetails(other).build();

    var text = Redaction.redacted(status);

    assertTrue(text.contains("details[0](payorch.v1.CallOutcome).track_id: \"ticket-1\""), text);
    assertTrue(text.contains("details[0](payorch.v1.CallOutcome).outcome: 99"), text);
    assertFalse(text.contains(SECRET), text);
  }
}
