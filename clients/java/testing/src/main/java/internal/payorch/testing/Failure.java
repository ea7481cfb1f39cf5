package internal.payorch.testing;

import com.google.protobuf.Any;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import internal.payorch.v1.Advice;
import internal.payorch.v1.CallOutcome;
import internal.payorch.v1.ExistingIds;
import internal.payorch.v1.Outcome;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/** An error of the service, with the details that it has there: {@code Failure.of("PAYMENT_DECLINED")}. Immutable. */
public final class Failure {
  private static final String EXAMPLE = "example";
  private static final Metadata.Key<String> OUTCOME =
      Metadata.Key.of("payorch-outcome", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> ADVICE =
      Metadata.Key.of("payorch-advice", Metadata.ASCII_STRING_MARSHALLER);

  private final String reason;
  private final Reason entry;
  private Map<String, String> violations = Map.of();
  private Map<String, String> metadata = Map.of();
  private Duration retryAfter;
  private List<String> zuoraCodes = List.of();
  private ExistingIds existing = ExistingIds.getDefaultInstance();
  private boolean executed;

  private Failure(String reason) {
    this.reason = reason;
    this.entry = Reason.CATALOGUE.get(reason);
  }

  /**
   * {@return an error}
   *
   * @param reason name of an {@code ErrorReason} without its prefix, such as {@code PAYMENT_DECLINED}
   * @throws IllegalArgumentException there is no such reason
   */
  public static Failure of(String reason) {
    if (!Reason.CATALOGUE.containsKey(reason)) {
      var near = Reason.near(reason);
      var meant = near.isEmpty() ? "" : "; did you mean %s?".formatted(String.join(", ", near));
      throw new IllegalArgumentException("reason: \"%s\" is none%s".formatted(reason, meant));
    }
    return new Failure(reason);
  }

  /** {@return the names of all reasons of the service} */
  public static Set<String> reasons() {
    return Reason.CATALOGUE.keySet();
  }

  /**
   * {@return this error with one more broken rule}
   *
   * @param field path of the field
   * @param description what must hold
   */
  public Failure violation(String field, String description) {
    return changed(copy -> copy.violations = with(violations, field, description));
  }

  /**
   * {@return this error with an entry in the metadata of its ErrorInfo, instead of an example}
   *
   * @param key such as {@code rule}
   * @param value of it
   */
  public Failure metadata(String key, String value) {
    return changed(copy -> copy.metadata = with(metadata, key, value));
  }

  /**
   * {@return this error with what RetryInfo says; without it, what the service says for the reason, if anything}
   *
   * @param delay before a resend
   */
  public Failure retryAfter(Duration delay) {
    return changed(copy -> copy.retryAfter = delay);
  }

  /**
   * {@return this error with Zuora's codes}
   *
   * @param codes as Zuora sends them
   */
  public Failure zuoraCodes(String... codes) {
    return changed(copy -> copy.zuoraCodes = List.of(codes));
  }

  /**
   * {@return this error with what exists although the call failed}
   *
   * @param ids of a method or a payment
   */
  public Failure existing(ExistingIds ids) {
    return changed(copy -> copy.existing = ids);
  }

  /**
   * {@return this error for a request that is executed all the same: only the answer is lost, and a resend finds it}
   *
   * @throws IllegalArgumentException the reason does not leave open whether it was executed
   */
  public Failure executed() {
    if (outcome() != Outcome.OUTCOME_UNKNOWN) {
      throw new IllegalArgumentException("executed: %s says that the request was not executed".formatted(reason));
    }
    return changed(copy -> copy.executed = true);
  }

  String reason() {
    return reason;
  }

  boolean isExecuted() {
    return executed;
  }

  Outcome outcome() {
    return Outcome.valueOf("OUTCOME_" + entry.outcome());
  }

  /** Returns what the caller of an RPC should do next. */
  Advice advice(String rpc) {
    var differing = entry.adviceByRpc() == null ? Map.<String, String>of() : entry.adviceByRpc();
    return Advice.valueOf("ADVICE_" + differing.getOrDefault(rpc, entry.advice()));
  }

  /** Returns whether a resend gets the same answer again. */
  boolean settles(String rpc) {
    return outcome() != Outcome.OUTCOME_NOT_SENT && advice(rpc) != Advice.ADVICE_RESEND_SAME_REQUEST_ID;
  }

  CallOutcome callOutcome(String rpc, String trackId) {
    var told =
        CallOutcome.newBuilder()
            .setOutcome(outcome())
            .setAdvice(advice(rpc))
            .addAllZuoraCodes(zuoraCodes)
            .setTrackId(trackId);
    return existing.equals(ExistingIds.getDefaultInstance()) ? told.build() : told.setExisting(existing).build();
  }

  /** Returns what a server throws. */
  StatusRuntimeException thrown(String rpc, String trackId) {
    var status =
        com.google.rpc.Status.newBuilder()
            .setCode(Status.Code.valueOf(entry.code()).value())
            .setMessage(entry.message())
            .addDetails(Any.pack(errorInfo()))
            .addDetails(Any.pack(callOutcome(rpc, trackId)));
    addRetryInfo(status);
    addBadRequest(status);
    var trailers = new Metadata();
    trailers.put(OUTCOME, entry.outcome());
    trailers.put(ADVICE, advice(rpc).name().replaceFirst("ADVICE_", ""));
    return StatusProto.toStatusRuntimeException(status.build(), trailers);
  }

  private ErrorInfo errorInfo() {
    var info = ErrorInfo.newBuilder().setReason(reason).setDomain("payorch");
    if (entry.metadata() != null) {
      entry.metadata().forEach(key -> info.putMetadata(key, EXAMPLE));
    }
    return info.putAllMetadata(metadata).build();
  }

  private void addRetryInfo(com.google.rpc.Status.Builder status) {
    var delay = retryAfter == null ? entry.retryDelay() : Optional.of(retryAfter);
    if (delay.isPresent()) {
      var retry = RetryInfo.newBuilder();
      retry.getRetryDelayBuilder().setSeconds(delay.get().getSeconds()).setNanos(delay.get().getNano());
      status.addDetails(Any.pack(retry.build()));
    }
  }

  private void addBadRequest(com.google.rpc.Status.Builder status) {
    var example = entry.namesFields() ? Map.of(Answers.REQUEST_ID, Answers.RULE_OF_ID) : Map.<String, String>of();
    var bad = BadRequest.newBuilder();
    (violations.isEmpty() ? example : violations)
        .forEach(
            (field, description) ->
                bad.addFieldViolationsBuilder().setField(field).setReason(EXAMPLE).setDescription(description));
    if (bad.getFieldViolationsCount() > 0) {
      status.addDetails(Any.pack(bad.build()));
    }
  }

  private Failure changed(Consumer<Failure> change) {
    var copy = new Failure(reason);
    copy.violations = violations;
    copy.metadata = metadata;
    copy.retryAfter = retryAfter;
    copy.zuoraCodes = zuoraCodes;
    copy.existing = existing;
    copy.executed = executed;
    change.accept(copy);
    return copy;
  }

  private static Map<String, String> with(Map<String, String> members, String key, String value) {
    var changed = new LinkedHashMap<>(members);
    changed.put(key, value);
    return changed;
  }
}
