package conformance;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.annotations.SerializedName;
import com.google.protobuf.Message;
import internal.payorch.CallSettings;
import internal.payorch.ClientBuilder;
import internal.payorch.DiagnosticsClient;
import internal.payorch.PayorchClient;
import internal.payorch.Resend;
import internal.payorch.Tls;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.logging.LogManager;

/**
 * Makes the calls of cases with the Java client: one JSON line per case in, one out.
 *
 * <p>The argument is {@code blocking} or {@code futures}. It compares nothing: what is right stands in cases.yaml
 * alone.
 */
public final class Runner {
  private static final Gson JSON = new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

  private final boolean futures;

  private Runner(boolean futures) {
    this.futures = futures;
  }

  /**
   * Answers each line.
   *
   * @param args {@code blocking} or {@code futures}
   * @throws IOException the input cannot be read
   */
  public static void main(String[] args) throws IOException {
    // The lines about resends would bury the table.
    LogManager.getLogManager().reset();
    var runner = new Runner(args[0].equals("futures"));
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (var line = lines.readLine(); line != null; line = lines.readLine()) {
      var seen = runner.run(JSON.fromJson(line, Case.class));
      // ASCII alone, whatever the encoding of the output is.
      System.out.println(Seen.ascii(JSON.toJson(seen)));
    }
  }

  /** What a line contains. */
  record Case(@SerializedName("case") String name, Connect connect, List<PlannedCall> calls) {}

  /** How to connect; what is null is left to the client. */
  record Connect(
      String target,
      String operators,
      boolean plaintext,
      TlsFiles tls,
      List<String> tokens,
      JsonElement resend) {}

  /** Names of files. */
  record TlsFiles(String ca_file, String certificate_file, String key_file) {}

  /** A call. */
  record PlannedCall(
      String rpc, String request, Double deadline_s, String track_id, Double cancel_after_s, boolean reuse) {}

  private Map<String, Object> run(Case given) {
    var tokens = given.connect().tokens() == null ? null : new Tokens(given.connect().tokens());
    var seen = new LinkedHashMap<String, Object>();
    seen.put("case", given.name());
    seen.put("connect_error", connectError(given.connect(), tokens));
    seen.put("calls", seen.get("connect_error") == null ? made(given, tokens) : List.of());
    seen.put("token_calls", tokens == null ? List.of() : tokens.asked());
    return seen;
  }

  private static String connectError(Connect connect, Tokens tokens) {
    try {
      configured(PayorchClient.builder(connect.target()), connect, tokens).build().close();
      return null;
    } catch (IllegalArgumentException e) {
      return e.getMessage();
    }
  }

  private List<Map<String, Object>> made(Case given, Tokens tokens) {
    var calls = new ArrayList<Map<String, Object>>();
    Message request = null;
    for (var call : given.calls()) {
      request = call.reuse() ? request : Rpc.valueOf(call.rpc()).parsed(Base64.getDecoder().decode(call.request()));
      calls.add(made(given.connect(), tokens, call, request));
    }
    return calls;
  }

  /** Makes a call with a client of its own. */
  private Map<String, Object> made(Connect connect, Tokens tokens, PlannedCall call, Message request) {
    Map<String, Object> seen;
    try (var payments = configured(PayorchClient.builder(connect.target()), connect, tokens).build();
        var diagnostics =
            configured(DiagnosticsClient.builder(operators(connect)), connect, tokens).build()) {
      seen = Seen.ok(answer(new Clients(payments, diagnostics), call, request));
    } catch (RuntimeException thrown) {
      seen = Seen.failed(thrown instanceof CompletionException wrapped ? wrapped.getCause() : thrown);
    }
    seen.put("request_after", Base64.getEncoder().encodeToString(request.toByteArray()));
    return seen;
  }

  private Message answer(Clients clients, PlannedCall call, Message request) {
    var settings = CallSettings.trackId(call.track_id());
    if (call.deadline_s() != null) {
      settings = settings.withDeadline(Duration.ofNanos(Math.round(call.deadline_s() * 1e9)));
    }
    var rpc = Rpc.valueOf(call.rpc());
    if (futures) {
      var future = rpc.future(clients, request, settings);
      after(call.cancel_after_s(), () -> future.cancel(true));
      return future.join();
    }
    var thread = Thread.currentThread();
    var interrupting = after(call.cancel_after_s(), thread::interrupt);
    try {
      return rpc.call(clients, request, settings);
    } finally {
      interrupting.cancel(true);
      Thread.interrupted();
    }
  }

  private static CompletableFuture<Void> after(Double seconds, Runnable action) {
    var due = new CompletableFuture<Void>();
    due.thenRun(action);
    return seconds == null ? due : due.completeOnTimeout(null, Math.round(seconds * 1e9), TimeUnit.NANOSECONDS);
  }

  private static String operators(Connect connect) {
    return connect.operators().isEmpty() ? connect.target() : connect.operators();
  }

  private static <B extends ClientBuilder<B, ?>> B configured(B builder, Connect connect, Tokens tokens) {
    if (connect.plaintext()) {
      builder.plaintext();
    }
    if (connect.tls() != null) {
      var files = connect.tls();
      builder.tls(Tls.fromFiles(path(files.ca_file()), path(files.certificate_file()), path(files.key_file())));
    }
    if (tokens != null) {
      builder.token(tokens);
    }
    if (connect.resend() != null && connect.resend().isJsonObject()) {
      JsonObject policy = connect.resend().getAsJsonObject();
      var within = Duration.ofNanos(Math.round(policy.get("within_s").getAsDouble() * 1e9));
      builder.resend(Resend.of(policy.get("attempts").getAsInt(), within));
    } else if (connect.resend() != null && connect.resend().isJsonPrimitive()) {
      builder.withoutResend();
    }
    return builder;
  }

  private static Path path(String name) {
    return name == null ? null : Path.of(name);
  }

  /** The clients of a case. */
  record Clients(PayorchClient payments, DiagnosticsClient diagnostics) {}
}
