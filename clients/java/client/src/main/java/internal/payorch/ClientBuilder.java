package internal.payorch;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannelBuilder;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * How a client connects, and what holds for its calls. TLS is the default.
 *
 * @param <B> the builder
 * @param <C> the client
 */
public abstract sealed class ClientBuilder<B extends ClientBuilder<B, C>, C>
    permits PayorchClient.Builder, DiagnosticsClient.Builder {
  // The service allows one ping of a connection every 10 s.
  private static final long KEEPALIVE_S = 30;
  private static final long KEEPALIVE_TIMEOUT_S = 10;

  private final String target;
  private Optional<Tls> tls = Optional.empty();
  private boolean plaintext;
  private Optional<TokenSupplier> token = Optional.empty();
  private Optional<Resend> resend = Optional.of(Resend.DEFAULT);
  private String errorsUrl = ErrorText.ERRORS_URL;
  private Map<String, ?> serviceConfig;
  private Executor executor = ForkJoinPool.commonPool();
  private Consumer<ManagedChannelBuilder<?>> channel = builder -> {};
  private Timing timing = Timing.SYSTEM;
  private Optional<Supplier<ManagedChannelBuilder<?>>> transport = Optional.empty();

  ClientBuilder(String target, Map<String, ?> serviceConfig) {
    this.target = Objects.requireNonNull(target, "target");
    this.serviceConfig = serviceConfig;
  }

  /**
   * {@return this builder, with what to trust and to show; without it, the authorities of the Java runtime}
   *
   * @param given from files, which are read again once they have changed, or from bytes
   */
  public B tls(Tls given) {
    tls = Optional.of(given);
    return self();
  }

  /** {@return this builder, doing without TLS: on this machine, or in a mesh} */
  public B plaintext() {
    plaintext = true;
    return self();
  }

  /**
   * {@return this builder, with what supplies the caller's JSON Web Token}
   *
   * @param supplier may block; it is called by the thread of a blocking call, or by the {@link #executor}
   */
  public B token(TokenSupplier supplier) {
    token = Optional.of(supplier);
    return self();
  }

  /**
   * {@return this builder, with when a call is sent again; without it, {@link Resend#DEFAULT}}
   *
   * @param policy followed where the service advises to send the same request again
   */
  public B resend(Resend policy) {
    resend = Optional.of(policy);
    return self();
  }

  /** {@return this builder, leaving resends to the retries of the service config alone} */
  public B withoutResend() {
    resend = Optional.empty();
    return self();
  }

  /**
   * {@return this builder, with where the messages of exceptions link to}
   *
   * @param url of your copy of docs/errors.md
   */
  public B errorsUrl(String url) {
    errorsUrl = Objects.requireNonNull(url, "url");
    return self();
  }

  /**
   * {@return this builder, with another gRPC service config than the published one}
   *
   * @param config as {@link ManagedChannelBuilder#defaultServiceConfig} takes it
   */
  public B serviceConfig(Map<String, ?> config) {
    serviceConfig = Map.copyOf(config);
    return self();
  }

  /**
   * {@return this builder, with what runs the steps of asynchronous calls; without it, the common pool}
   *
   * @param given runs the supplier of tokens, and what callers add to their futures
   */
  public B executor(Executor given) {
    executor = Objects.requireNonNull(given, "executor");
    return self();
  }

  /**
   * {@return this builder, with further settings of gRPC's channel, such as interceptors, over those of this package}
   *
   * <p>Interceptors see every attempt, and {@code grpc.health.v1.Health/Check} where the client finds out why there is
   * no connection.
   *
   * @param settings called when the client is built, and when its certificates have been renewed
   */
  public B channel(Consumer<ManagedChannelBuilder<?>> settings) {
    channel = channel.andThen(settings);
    return self();
  }

  /**
   * {@return a client; its first call connects}
   *
   * @throws IllegalArgumentException the target is none, TLS and plaintext are both asked for, or a token would be sent
   *     in plaintext beyond this machine
   */
  public abstract C build();

  abstract B self();

  /** Replaces the network, and the waits between attempts, by none. */
  void connectInProcess(Supplier<ManagedChannelBuilder<?>> transport) {
    this.transport = Optional.of(transport);
    this.timing = timing.withoutPauses();
  }

  ClientBuilder<B, C> timing(Timing given) {
    timing = given;
    return this;
  }

  Sender sender() {
    if (plaintext && tls.isPresent()) {
      throw new IllegalArgumentException("plaintext: tls is given as well; choose one");
    }
    var endpoint = new Endpoint(target, plaintext, tls.map(Tls::showsCertificate).orElse(false));
    var settings = new Sender.Settings(token, resend, new ResendBudget(), errorsUrl, timing, executor);
    return new Sender(channels(), endpoint, settings);
  }

  private Channels channels() {
    if (transport.isPresent()) {
      return new Channels(without -> prepared(transport.get().get()).build(), Optional.empty(), timing);
    }
    var resolved = Target.resolved(target);
    if (plaintext && token.isPresent() && !Target.isOnThisMachine(resolved)) {
      throw new IllegalArgumentException("token: it would be sent in plaintext beyond this machine; use TLS");
    }
    var trusted = plaintext ? Optional.<Tls>empty() : Optional.of(tls.orElseGet(Tls::system));
    return new Channels(using -> prepared(overNetwork(resolved, using)).build(), trusted, timing);
  }

  private static ManagedChannelBuilder<?> overNetwork(String resolved, Optional<Tls> using) {
    var credentials = using.map(Tls::credentials).orElseGet(InsecureChannelCredentials::create);
    return Grpc.newChannelBuilder(resolved, credentials)
        .keepAliveTime(KEEPALIVE_S, TimeUnit.SECONDS)
        .keepAliveTimeout(KEEPALIVE_TIMEOUT_S, TimeUnit.SECONDS);
  }

  private ManagedChannelBuilder<?> prepared(ManagedChannelBuilder<?> builder) {
    builder
        .userAgent("payorch-java/" + Payorch.VERSION)
        .defaultServiceConfig(resend.isPresent() ? ServiceConfig.withoutRetries(serviceConfig) : serviceConfig)
        // A config that DNS could deliver is not ours.
        .disableServiceConfigLookUp()
        .enableRetry();
    channel.accept(builder);
    return builder;
  }
}
