package internal.payorch;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;

/** What holds for every client, and what callers of the generated stubs need. */
public final class Payorch {
  /** The version of this package, which the user agent names. */
  // A method call, so that no compiler copies it into the classes of callers.
  public static final String VERSION = String.valueOf("0.1.0");

  /** The published gRPC service config, as {@link ManagedChannelBuilder#defaultServiceConfig} takes it. */
  public static final Map<String, ?> SERVICE_CONFIG = readServiceConfig();

  /** Metadata with the Zuora-Track-Id of a call: 1 to 64 characters from 0x21 to 0x7E without {@code : ; " ' ,}. */
  public static final Metadata.Key<String> TRACK_ID =
      Metadata.Key.of("zuora-track-id", Metadata.ASCII_STRING_MARSHALLER);

  private static final SecureRandom RANDOM = new SecureRandom();
  private static final int TIME_SHIFT = 16;
  private static final long VERSION_7 = 0x7000L;
  private static final long BELOW_VERSION = 0x0FFFL;
  private static final long VARIANT = 0x8000_0000_0000_0000L;
  private static final long BELOW_VARIANT = 0x3FFF_FFFF_FFFF_FFFFL;

  private Payorch() {}

  /**
   * {@return a fresh name for an intent: a UUID of version 7 (RFC 9562), which shows the service when it was made}
   *
   * <p>Keep it with the order before the first send, and send it again with every resend of the same thing to be done.
   */
  public static String newRequestId() {
    var high = System.currentTimeMillis() << TIME_SHIFT | VERSION_7 | RANDOM.nextLong() & BELOW_VERSION;
    return new UUID(high, VARIANT | RANDOM.nextLong() & BELOW_VARIANT).toString();
  }

  private static Map<String, ?> readServiceConfig() {
    var file = Objects.requireNonNull(Payorch.class.getResourceAsStream("service_config.json"));
    try (Reader reader = new InputStreamReader(file, StandardCharsets.UTF_8)) {
      // Gson reads every number as the double that gRPC wants.
      return Collections.unmodifiableMap(new Gson().fromJson(reader, new TypeToken<Map<String, Object>>() {}));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
