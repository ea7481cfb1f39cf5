package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The mistakes of the package's page end as it shows. */
class MistakesTest {
  private static final String HEAD = "| mistake | exception |";

  @TempDir static Path made;

  private static List<String> shown() throws IOException {
    var lines = Files.readString(Path.of("../README.md")).lines().toList();
    return lines.stream()
        .skip(lines.indexOf(HEAD) + 2)
        .takeWhile(line -> line.startsWith("|"))
        .map(line -> line.substring(line.indexOf('|', 1) + 1, line.length() - 1).strip())
        .toList();
  }

  private static String refused(Supplier<PayorchClient> connecting) {
    var refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> {
              try (var client = connecting.get()) {
                client.createSession(ScriptedService.request());
              }
            });
    return "`IllegalArgumentException: %s`".formatted(refused.getMessage());
  }

  private static String notSent(PayorchClient.Builder builder) {
    try (var client = builder.resend(Resend.of(1, Duration.ofSeconds(20))).build()) {
      var failed = assertThrows(NotSentException.class, () -> client.createSession(ScriptedService.request()));
      return "`NotSentException`: " + failed.getError().hint();
    }
  }

  private static String unusedTarget() throws IOException {
    try (var socket = new ServerSocket(0)) {
      return "127.0.0.1:" + socket.getLocalPort();
    }
  }

  @Test
  void areThoseOfThePage() throws IOException {
    var certificates = Certificates.made(made, "server", "EC");
    var service = new SecuredService(certificates, certificates);
    var target = "127.0.0.1:" + service.start();

    var seen =
        List.of(
            refused(() -> PayorchClient.builder("127.0.0.1:1").plaintext().token(refresh -> "token\n").build()),
            refused(() -> PayorchClient.builder("https://payorch:50051").build()),
            notSent(PayorchClient.builder(target).plaintext()),
            notSent(PayorchClient.builder(target)),
            notSent(PayorchClient.builder(unusedTarget()).plaintext()));
    service.stop();

    assertEquals(String.join("\n", shown()), String.join("\n", seen));
  }
}
