package internal.payorch;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/** How to connect to the service. */
public final class Payorch {
  /** The published gRPC service config, as {@link ManagedChannelBuilder#defaultServiceConfig} takes it. */
  public static final Map<String, ?> SERVICE_CONFIG = readServiceConfig();

  /** Metadata with the Zuora-Track-Id of a call: 1 to 64 characters from 0x21 to 0x7E without {@code : ; " ' ,}. */
  public static final Metadata.Key<String> TRACK_ID =
      Metadata.Key.of("zuora-track-id", Metadata.ASCII_STRING_MARSHALLER);

  // The service allows one ping of a connection every 10 s.
  private static final long KEEPALIVE_S = 30;
  private static final long KEEPALIVE_TIMEOUT_S = 10;

  private Payorch() {}

  /**
   * {@return the builder of a channel that follows the service config: round robin, health, retries, throttling}
   *
   * @param target {@code host:port}, or any target of gRPC
   * @param credentials TLS, or {@link io.grpc.InsecureChannelCredentials} on a trusted network
   */
  public static ManagedChannelBuilder<?> channel(String target, ChannelCredentials credentials) {
    return Grpc.newChannelBuilder(target, credentials)
        .defaultServiceConfig(SERVICE_CONFIG)
        // A config that DNS could deliver is not ours.
        .disableServiceConfigLookUp()
        .enableRetry()
        .keepAliveTime(KEEPALIVE_S, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_TIMEOUT_S, TimeUnit.SECONDS);
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
