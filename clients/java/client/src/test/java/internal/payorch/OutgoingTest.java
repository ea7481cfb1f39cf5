package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Message;
import internal.payorch.v1.CreatePaymentMethodRequest;
import internal.payorch.v1.DecryptApplePayRequest;
import internal.payorch.v1.GetIntentRequest;
import internal.payorch.v1.PayInvoice;
import internal.payorch.v1.PaymentOrchestrationServiceProto;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a request gets before it is sent. */
class OutgoingTest {
  private static void addPaths(Descriptor message, String path, Set<Descriptor> above, Set<String> paths) {
    for (var field : message.getFields()) {
      var below = path + "." + field.getName();
      if (field.getJavaType() == com.google.protobuf.Descriptors.FieldDescriptor.JavaType.MESSAGE) {
        if (field.getMessageType().equals(PayInvoice.getDescriptor())) {
          paths.add(below);
        } else if (above.add(field.getMessageType())) {
          addPaths(field.getMessageType(), below, above, paths);
          above.remove(field.getMessageType());
        }
      }
    }
  }

  @Test
  void knowsEveryPlaceInWhichAnInvoiceIsPaid() {
    var paths = new TreeSet<String>();
    for (var rpc : PaymentOrchestrationServiceProto.getDescriptor().getServices().get(0).getMethods()) {
      addPaths(rpc.getInputType(), rpc.getName(), new java.util.HashSet<>(), paths);
    }

    assertEquals(Set.of("DecryptApplePay.pay_invoice", "CreatePaymentMethod.apple_pay.pay_invoice"), paths);
    assertTrue(Outgoing.paysInvoice(payment(DecryptApplePayRequest.newBuilder())));
    var method = CreatePaymentMethodRequest.newBuilder();
    method.getApplePayBuilder().getPayInvoiceBuilder();
    assertTrue(Outgoing.paysInvoice(method.build()));
    assertFalse(Outgoing.paysInvoice(CreatePaymentMethodRequest.getDefaultInstance()));
  }

  private static Message payment(DecryptApplePayRequest.Builder request) {
    request.getPayInvoiceBuilder();
    return request.build();
  }

  @Test
  void needsAnIdOfTheCallersWhereItPays() {
    var refused =
        assertThrows(
            IllegalArgumentException.class, () -> Outgoing.named(payment(DecryptApplePayRequest.newBuilder())));

    assertTrue(refused.getMessage().contains("would charge twice"), refused.getMessage());
  }

  @Test
  void needsAnIdToAskAbout() {
    assertThrows(IllegalArgumentException.class, () -> Outgoing.named(GetIntentRequest.getDefaultInstance()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "order-4711-attempt-1", "\u00fc"})
  void keepsAnIdAsItIs(String id) {
    var request = DecryptApplePayRequest.newBuilder().setRequestId(id).build();

    assertEquals(request, Outgoing.named(request));
  }

  @Test
  void makesIdsThatSayWhenTheyWereMade() {
    var before = System.currentTimeMillis();
    var made = UUID.fromString(Payorch.newRequestId());
    var after = System.currentTimeMillis();

    assertEquals(7, made.version());
    assertEquals(2, made.variant());
    var time = made.getMostSignificantBits() >>> 16;
    assertTrue(before <= time && time <= after, made.toString());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a b", "a:b", "a;b", "a\"b", "a'b", "a,b", "\u00fc", "a\n"})
  void hasATrackIdThatZuoraTakes(String trackId) {
    assertThrows(IllegalArgumentException.class, () -> CallSettings.trackId(trackId));
  }

  @Test
  void hasATrackIdOfSixtyFourCharactersAtMost() {
    assertEquals(64, CallSettings.trackId("!".repeat(64)).trackId().length());
    assertThrows(IllegalArgumentException.class, () -> CallSettings.trackId("!".repeat(65)));
  }
}
