package internal.payorch.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import internal.payorch.NotSentException;
import internal.payorch.v1.DecryptApplePayRequest;
import java.util.List;
import org.junit.jupiter.api.Test;

class CheckoutTest {
  @Test
  void aRefusedPaymentNamesTheField() {
    try (var payorch = new FakePayorch(); var client = payorch.connect()) {
      payorch.failWith(Failure.of("REQUEST_INVALID").violation("pay_invoice.invoice", "must not be empty"));
      var request = DecryptApplePayRequest.newBuilder().setRequestId("order-4711-attempt-1");
      request.setTokenJson(ByteString.copyFromUtf8("{}")).getPayInvoiceBuilder();
      var refused = assertThrows(NotSentException.class, () -> client.decryptApplePay(request.build()));
      assertEquals("pay_invoice.invoice", refused.getError().violations().get(0).getField());
      assertEquals(List.of(), payorch.executed());
    }
  }
}
