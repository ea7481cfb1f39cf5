package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which targets a client accepts, and what becomes of them. */
class TargetTest {
  @ParameterizedTest
  @CsvSource({
    "payorch:50051, dns:///payorch:50051",
    "127.0.0.1:50051, dns:///127.0.0.1:50051",
    "[::1]:50051, dns:///[::1]:50051",
    "dns:50051, dns:///dns:50051",
    "dns:///payorch:50051, dns:///payorch:50051",
    "unix:/run/payorch.sock, unix:/run/payorch.sock",
  })
  void isResolvedToEveryAddress(String target, String resolved) {
    assertEquals(resolved, Target.resolved(target));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | target: it is empty; write host:port, such as payorch:50051",
        "'pay orch:1' | target: \"pay orch:1\" contains blanks or control characters",
        "'payorch:1\n' | target: \"payorch:1\\n\" contains blanks or control characters",
        "https://payorch:1 | target: \"https://payorch:1\" is the address of a web page; write host:port",
        "payorch | target: \"payorch\" needs a host and a port, such as payorch:50051",
        ":50051 | target: \":50051\" needs a host and a port, such as payorch:50051",
        "::1:50051 | target: \"::1:50051\" needs brackets around its IPv6 address, such as [::1]:50051",
        "me@payorch:50051 | target: \"me@payorch:50051\" is more than host:port",
        "payorch/a:50051 | target: \"payorch/a:50051\" is more than host:port",
        "payorch:0 | target: \"payorch:0\" needs a port from 1 to 65535",
        "payorch:65536 | target: \"payorch:65536\" needs a port from 1 to 65535",
        "payorch:99999999999 | target: \"payorch:99999999999\" needs a port from 1 to 65535",
        "payorch:a | target: \"payorch:a\" needs a port from 1 to 65535",
        "payorch:\u0661 | target: \"payorch:\u0661\" needs a port from 1 to 65535",
        "consul:///a | target: \"consul:///a\" has a scheme without a resolver in this process; write host:port",
        "vsock:1:2 | target: \"vsock:1:2\" has a scheme without a resolver in this process; write host:port",
      })
  void isRefusedWithWhatIsWrong(String target, String problem) {
    var refused = assertThrows(IllegalArgumentException.class, () -> Target.resolved(target));

    assertEquals(problem, refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/a", "dns:///localhost:1"})
  void mayStayOnThisMachine(String target) {
    assertTrue(Target.isOnThisMachine(Target.resolved(target)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "payorch:1",
        "unix:1",
        "localhost.example:1",
        "dns:///127.0.0.1:1,payorch:1",
        "dns://127.0.0.1/payorch:1",
        "dns://10.0.0.1/localhost:1",
      })
  void takesNoTokenInPlaintextBeyondThisMachine(String target) {
    var builder = PayorchClient.builder(target).plaintext().token(refresh -> "secret");
    var refused = assertThrows(IllegalArgumentException.class, builder::build);

    assertEquals("token: it would be sent in plaintext beyond this machine; use TLS", refused.getMessage());
  }
}
