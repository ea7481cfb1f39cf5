package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import internal.payorch.v1.CreateSessionResponse;
import internal.payorch.v1.PaymentOrchestrationServiceGrpc;
import io.grpc.Grpc;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Logger;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is trusted and shown, and how it is renewed. */
class TlsTest {
  @TempDir static Path made;
  private static Certificates server;
  private static Certificates first;
  private static Certificates second;

  @TempDir Path folder;

  @BeforeAll
  static void make() {
    server = Certificates.made(made, "server", "EC");
    first = Certificates.made(made, "first", "RSA");
    second = Certificates.made(made, "second", "EC");
  }

  private static String refused(byte[] ca, byte[] certificate, byte[] key) {
    return assertThrows(IllegalArgumentException.class, () -> Tls.of(ca, certificate, key)).getMessage();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  void refusesWhatCouldNeverConnect() {
    var broken = bytes("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    var brokenKey = bytes("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");

    assertEquals("tls: certificate and key come together", refused(null, first.certificate(), null));
    assertEquals("tls: certificate and key come together", refused(null, null, first.key()));
    assertEquals("tls: the ca is not in PEM form", refused(bytes("nonsense"), null, null));
    assertEquals("tls: the ca cannot be read as certificates", refused(broken, null, null));
    assertEquals(
        "tls: the key is not in PEM form (PKCS #8, not encrypted)", refused(null, first.certificate(), bytes("key")));
    assertEquals(
        "tls: the key cannot be read as a private key of RSA or elliptic curves",
        refused(null, first.certificate(), brokenKey));
    assertEquals("tls: the key is not that of the certificate", refused(null, first.certificate(), second.key()));
    assertEquals("tls: the key is not that of the certificate", refused(null, server.certificate(), second.key()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"ca", "certificate", "key"})
  void namesTheFileThatCannotBeRead(String name) {
    var missing = folder.resolve("missing.pem");
    var certificate = first.writeCertificate(folder.resolve("a.pem"));
    var key = first.writeKey(folder.resolve("a.key"));

    var failed =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                Tls.fromFiles(
                    name.equals("ca") ? missing : null,
                    name.equals("certificate") ? missing : certificate,
                    name.equals("key") ? missing : key));

    assertEquals("tls: the %s cannot be read: %s".formatted(name, missing), failed.getMessage());
  }

  @Test
  void isTheSameUntilAFileChanges() {
    var file = server.writeCertificate(folder.resolve("ca.pem"));
    var tls = Tls.fromFiles(file);

    assertSame(tls, tls.reread());
    first.writeCertificate(file);
    assertNotSame(tls, tls.reread());
  }

  @Test
  void isOneOfTwo() {
    var both = PayorchClient.builder("127.0.0.1:1").plaintext().tls(Tls.of(server.certificate(), null, null));

    assertEquals(
        "plaintext: tls is given as well; choose one",
        assertThrows(IllegalArgumentException.class, both::build).getMessage());
  }

  private static String called(Channels channels, SecuredService service) {
    var channel = channels.newest();
    channel.enterIdle(); // a connection of its own for each call
    PaymentOrchestrationServiceGrpc.newBlockingStub(channel).createSession(ScriptedService.request());
    return service.callers().get(service.callers().size() - 1);
  }

  private static Channels channels(int port, Tls tls, AtomicLong nanos) {
    var target = "127.0.0.1:" + port;
    return new Channels(
        using -> Grpc.newChannelBuilder(target, using.get().credentials()).build(), Optional.of(tls), movedBy(nanos));
  }

  private static Timing movedBy(AtomicLong nanos) {
    return new Timing(nanos::get, Timing.SYSTEM.now(), () -> 0, pause -> pause);
  }

  private static void afterTenSeconds(AtomicLong nanos) {
    nanos.addAndGet(Duration.ofSeconds(10).toNanos());
  }

  @Test
  void showsARenewedCertificateToTheNextConnection() throws IOException {
    var nanos = new AtomicLong();
    var ca = server.writeCertificate(folder.resolve("ca.pem"));
    var certificate = first.writeCertificate(folder.resolve("caller.pem"));
    var key = first.writeKey(folder.resolve("caller.key"));
    var service = new SecuredService(server, first, second);
    var port = service.start();
    try (var channels = channels(port, Tls.fromFiles(ca, certificate, key), nanos)) {
      assertEquals("CN=first", called(channels, service));

      second.writeCertificate(certificate);
      afterTenSeconds(nanos);
      assertEquals("CN=first", called(channels, service), "the key is still that of the first");

      second.writeKey(key);
      assertEquals("CN=first", called(channels, service), "the files were looked at just before");

      afterTenSeconds(nanos);
      assertEquals("CN=second", called(channels, service));
    }
    service.stop();
  }

  @Test
  void trustsARenewedAuthority() throws IOException {
    var nanos = new AtomicLong();
    var ca = first.writeCertificate(folder.resolve("ca.pem"));
    var certificate = first.writeCertificate(folder.resolve("caller.pem"));
    var service = new SecuredService(server, first, second);
    var port = service.start();
    var tls = Tls.fromFiles(ca, certificate, first.writeKey(folder.resolve("caller.key")));
    try (var channels = channels(port, tls, nanos)) {
      assertThrows(StatusRuntimeException.class, () -> called(channels, service));
      server.writeCertificate(ca);
      afterTenSeconds(nanos);
      assertEquals("CN=first", called(channels, service));
    }
    service.stop();
  }

  @Test
  void letsACallEndOnTheConnectionOfBefore() throws Exception {
    var nanos = new AtomicLong();
    var ca = server.writeCertificate(folder.resolve("ca.pem"));
    var certificate = first.writeCertificate(folder.resolve("caller.pem"));
    var key = first.writeKey(folder.resolve("caller.key"));
    var service = new SecuredService(server, first, second);
    var builder =
        PayorchClient.builder("127.0.0.1:" + service.start())
            .serviceConfig(ServiceConfig.ofOperators())
            .withoutResend()
            .tls(Tls.fromFiles(ca, certificate, key));
    builder.timing(movedBy(nanos));
    try (var client = builder.build()) {
      var held = new ArrayBlockingQueue<StreamObserver<CreateSessionResponse>>(1);
      service.hold(held);
      var begun = client.createSessionAsync(ScriptedService.request());
      var observer = held.take();
      service.hold(null);
      second.writeCertificate(certificate);
      second.writeKey(key);
      afterTenSeconds(nanos);
      client.createSession(ScriptedService.request());
      observer.onNext(ScriptedService.SESSION);
      observer.onCompleted();

      assertEquals("a-token", begun.get().getSession().getToken());
    }
    service.stop();

    assertEquals(List.of("CN=first", "CN=second"), service.callers());
  }

  @Test
  void isLookedAtBeforeACallAndKeptWhereItIsWorseNow() throws IOException {
    var nanos = new AtomicLong();
    var ca = server.writeCertificate(folder.resolve("ca.pem"));
    var certificate = first.writeCertificate(folder.resolve("caller.pem"));
    var service = new SecuredService(server, first, second);
    var builder =
        PayorchClient.builder("127.0.0.1:" + service.start())
            .serviceConfig(ServiceConfig.ofOperators())
            .tls(Tls.fromFiles(ca, certificate, first.writeKey(folder.resolve("caller.key"))));
    builder.timing(movedBy(nanos));
    var warnings = new CopyOnWriteArrayList<String>();
    var logger = Logger.getLogger("internal.payorch");
    logger.setFilter(record -> warnings.add(record.getMessage() + " " + record.getParameters()[0]) && false);
    try (var client = builder.build()) {
      client.createSession(ScriptedService.request());
      Certificates.write(ca, bytes("nonsense"));
      afterTenSeconds(nanos);
      client.createSession(ScriptedService.request());
    } finally {
      logger.setFilter(null);
    }
    service.stop();

    assertEquals(List.of("CN=first", "CN=first"), service.callers());
    assertEquals(
        List.of("the certificates are not renewed: {0} tls: the ca is not in PEM form: " + ca), List.copyOf(warnings));
  }
}
