package internal.payorch;

import io.grpc.util.CertificateUtils;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;

/** Whether PEM texts can be read, and fit together. */
final class Pem {
  private static final String CERTIFICATE = "-----BEGIN CERTIFICATE-----";
  private static final String KEY = "-----BEGIN PRIVATE KEY-----";
  private static final Map<String, String> SIGNATURES =
      Map.of("RSA", "SHA256withRSA", "EC", "SHA256withECDSA");

  private Pem() {}

  /**
   * Refuses what could never connect.
   *
   * @throws IllegalArgumentException one cannot be read, or certificate and key do not belong together
   */
  static void check(Tls.Source ca, Tls.Source certificate, Tls.Source key) {
    if ((certificate.content() == null) != (key.content() == null)) {
      throw new IllegalArgumentException("tls: certificate and key come together");
    }
    certificates(ca);
    var chain = certificates(certificate);
    if (!chain.isEmpty() && !belongs(key(key), chain.get(0).getPublicKey())) {
      throw key.wrong("is not that of the certificate", null);
    }
  }

  private static List<X509Certificate> certificates(Tls.Source source) {
    if (source.content() == null) {
      return List.of();
    }
    if (!text(source).contains(CERTIFICATE)) {
      throw source.wrong("is not in PEM form", null);
    }
    try {
      return List.of(CertificateUtils.getX509Certificates(new ByteArrayInputStream(source.content())));
    } catch (GeneralSecurityException e) {
      throw source.wrong("cannot be read as certificates", e);
    }
  }

  private static PrivateKey key(Tls.Source source) {
    if (!text(source).contains(KEY)) {
      throw source.wrong("is not in PEM form (PKCS #8, not encrypted)", null);
    }
    try {
      return CertificateUtils.getPrivateKey(new ByteArrayInputStream(source.content()));
    } catch (GeneralSecurityException | IOException | IllegalArgumentException e) {
      // Without the cause, which may quote the key.
      throw source.wrong("cannot be read as a private key of RSA or elliptic curves", null);
    }
  }

  /** Returns whether what a key signs is proved by the other. */
  private static boolean belongs(PrivateKey key, PublicKey shown) {
    if (!key.getAlgorithm().equals(shown.getAlgorithm())) {
      return false;
    }
    var probe = CERTIFICATE.getBytes(StandardCharsets.US_ASCII);
    try {
      var signer = Signature.getInstance(SIGNATURES.get(key.getAlgorithm()));
      signer.initSign(key);
      signer.update(probe);
      var signature = signer.sign();
      signer.initVerify(shown);
      signer.update(probe);
      return signer.verify(signature);
    } catch (GeneralSecurityException e) {
      return false;
    }
  }

  private static String text(Tls.Source source) {
    return new String(source.content(), StandardCharsets.ISO_8859_1);
  }
}
