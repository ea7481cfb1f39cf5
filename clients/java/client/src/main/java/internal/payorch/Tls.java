package internal.payorch;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * What is trusted of the service, and what is shown to it.
 *
 * <p>A client reads files again once they have changed, so certificates may be renewed while the process runs.
 */
public final class Tls {
  private final Source ca;
  private final Source certificate;
  private final Source key;

  private Tls(Source ca, Source certificate, Source key) {
    this.ca = ca;
    this.certificate = certificate;
    this.key = key;
    Pem.check(ca, certificate, key);
  }

  /**
   * A part in PEM form.
   *
   * @param name of the part in the texts of errors
   * @param file where it was read; null: it is not from a file
   * @param content null: there is none
   */
  record Source(String name, Path file, byte[] content) {
    static Source read(String name, Path file) {
      try {
        return new Source(name, file, file == null ? null : Files.readAllBytes(file));
      } catch (IOException e) {
        throw new IllegalArgumentException("tls: the %s cannot be read: %s".formatted(name, file), e);
      }
    }

    Source reread() {
      return file == null ? this : read(name, file);
    }

    boolean isSame(Source other) {
      return Arrays.equals(content, other.content);
    }

    IllegalArgumentException wrong(String problem, Exception cause) {
      return new IllegalArgumentException(
          "tls: the %s %s%s".formatted(name, problem, file == null ? "" : ": " + file), cause);
    }
  }

  /**
   * {@return what trusts the authorities of a file, and shows no certificate}
   *
   * @param caFile PEM of the authorities to trust
   * @throws IllegalArgumentException the file cannot be read
   */
  public static Tls fromFiles(Path caFile) {
    return fromFiles(caFile, null, null);
  }

  /**
   * {@return what trusts and shows the contents of files}
   *
   * @param caFile PEM of the authorities to trust; null: those of the Java runtime
   * @param certificateFile PEM of the client's certificate, intermediate ones after it; null: none is shown
   * @param keyFile PEM (PKCS #8) of its private key
   * @throws IllegalArgumentException a file cannot be read, or certificate and key do not belong together
   */
  public static Tls fromFiles(Path caFile, Path certificateFile, Path keyFile) {
    return new Tls(
        Source.read("ca", caFile), Source.read("certificate", certificateFile), Source.read("key", keyFile));
  }

  /**
   * {@return what trusts and shows what does not come from files}
   *
   * @param ca PEM of the authorities to trust; null: those of the Java runtime
   * @param certificate PEM of the client's certificate, intermediate ones after it; null: none is shown
   * @param key PEM (PKCS #8) of its private key
   * @throws IllegalArgumentException a part cannot be read, or certificate and key do not belong together
   */
  public static Tls of(byte[] ca, byte[] certificate, byte[] key) {
    return new Tls(copy("ca", ca), copy("certificate", certificate), copy("key", key));
  }

  static Tls system() {
    return of(null, null, null);
  }

  /**
   * Returns what the files contain now; the same object if nothing has changed.
   *
   * @throws IllegalArgumentException the new contents do not fit together, as while they are being replaced
   */
  Tls reread() {
    var newest = new Source[] {ca.reread(), certificate.reread(), key.reread()};
    var same = newest[0].isSame(ca) && newest[1].isSame(certificate) && newest[2].isSame(key);
    return same ? this : new Tls(newest[0], newest[1], newest[2]);
  }

  boolean showsCertificate() {
    return key.content() != null;
  }

  /** Returns what a channel takes. */
  ChannelCredentials credentials() {
    var builder = TlsChannelCredentials.newBuilder();
    try {
      if (ca.content() != null) {
        builder.trustManager(new ByteArrayInputStream(ca.content()));
      }
      if (showsCertificate()) {
        builder.keyManager(
            new ByteArrayInputStream(certificate.content()), new ByteArrayInputStream(key.content()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e); // reads no file
    }
    return builder.build();
  }

  private static Source copy(String name, byte[] content) {
    return new Source(name, null, content == null ? null : content.clone());
  }
}
