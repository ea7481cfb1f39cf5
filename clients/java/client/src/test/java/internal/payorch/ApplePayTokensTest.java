package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.protobuf.ByteString;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Apple Pay tokens are passed on as they came. */
class ApplePayTokensTest {
  private static final String TOKEN = "{ \"data\":\"secret<&>\u00fc\",\n \"version\": \"EC_v1\" }";

  @Test
  void areTheSameBytes() {
    assertEquals(ByteString.copyFromUtf8(TOKEN), ApplePayTokens.of(TOKEN));
    assertEquals(ByteString.copyFromUtf8(TOKEN), ApplePayTokens.of(TOKEN.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void areWrittenOnceFromMembers() {
    var members = new LinkedHashMap<String, Object>(Map.of("data", "secret<&>"));
    members.put("none", null);

    var expected = ByteString.copyFromUtf8("{\"data\":\"secret<&>\",\"none\":null}");
    assertEquals(expected, ApplePayTokens.of(members));
    assertEquals(expected, ApplePayTokens.of(Map.of("token", members, "billingContact", Map.of())));
  }

  @ParameterizedTest
  @CsvSource({
    "secret, token: it is not JSON",
    "'', token: it is not a JSON object",
    "'{\"secret\": 1} 2', token: it is not JSON",
    "'{secret: 1}', token: it is not JSON",
    "'[\"secret\"]', token: it is not a JSON object",
    "'{\"token\": {\"data\": \"secret\"}}', token: this is the whole payment; pass its member `token`",
  })
  void areRefusedWithoutAQuotation(String token, String problem) {
    var refused = assertThrows(IllegalArgumentException.class, () -> ApplePayTokens.of(token));

    assertEquals(problem, refused.getMessage());
    assertNull(refused.getCause());
  }

  @Test
  void areRefusedWhereTheyNestWithoutEnd() {
    var refused = assertThrows(IllegalArgumentException.class, () -> ApplePayTokens.of("{\"a\":".repeat(100_000)));

    assertEquals("token: it is not JSON", refused.getMessage());
  }

  @Test
  void areUtf8() {
    var refused = assertThrows(IllegalArgumentException.class, () -> ApplePayTokens.of(new byte[] {'{', -1, '}'}));

    assertEquals("token: it is not JSON", refused.getMessage());
  }

  @Test
  void haveNoNumbersThatJsonLacks() {
    var refused = assertThrows(IllegalArgumentException.class, () -> ApplePayTokens.of(Map.of("a", Double.NaN)));

    assertEquals("token: it cannot be written as JSON", refused.getMessage());
  }
}
