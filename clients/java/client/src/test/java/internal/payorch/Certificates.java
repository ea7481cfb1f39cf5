package internal.payorch;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;

/** A self-signed certificate of this machine with its key, as PEM; made by the JDK's keytool. */
record Certificates(byte[] certificate, byte[] key) {
  private static final String PASSWORD = "changeit";

  static Certificates made(Path folder, String name, String algorithm) {
    var store = folder.resolve(name + ".p12");
    var command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
            "-genkeypair", "-alias", "a", "-keyalg", algorithm, "-dname", "CN=" + name, "-validity", "2",
            "-ext", "san=ip:127.0.0.1", "-keystore", store.toString(), "-storetype", "PKCS12",
            "-storepass", PASSWORD);
    try {
      var process = new ProcessBuilder(command).redirectErrorStream(true).start();
      var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new IllegalStateException(said);
      }
      var entries = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
      return new Certificates(
          pem("CERTIFICATE", entries.getCertificate("a").getEncoded()),
          pem("PRIVATE KEY", entries.getKey("a", PASSWORD.toCharArray()).getEncoded()));
    } catch (IOException | GeneralSecurityException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  Path writeCertificate(Path file) {
    return write(file, certificate);
  }

  Path writeKey(Path file) {
    return write(file, key);
  }

  static Path write(Path file, byte[] content) {
    try {
      return Files.write(file, content);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] pem(String label, byte[] content) {
    var text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
    var pem = "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(label, text, label);
    return pem.getBytes(StandardCharsets.US_ASCII);
  }
}
