package internal.payorch;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import internal.payorch.v1.Advice;
import internal.payorch.v1.CallOutcome;
import internal.payorch.v1.Outcome;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * An error of the service, decoded.
 *
 * <p>An error that carries no {@link CallOutcome}, such as one made by a proxy, means: outcome unknown, advice resend
 * with the same request id. So do an outcome and an advice that this version does not know, and a success, which no
 * error can be.
 *
 * @param code the gRPC status code; decide by outcome and advice, not by this
 * @param message text for developers
 * @param reason name of the {@code ErrorReason} without its prefix; empty if the service did not make the error
 * @param outcome what happened at Zuora
 * @param advice what to do next
 * @param trackId the Zuora-Track-Id of the call; empty if the service did not make the error
 * @param violations the fields that break rules
 * @param metadata of the {@code ErrorInfo}
 * @param retryDelay how long to wait before a resend, where the service knows
 * @param zuoraCodes Zuora's codes as it sent them
 * @param resendBeforeTime until when a resend is safe; empty where the advice is not to
 * @param callOutcome everything else: Zuora's ids, attempts, what exists
 * @param hint what may be wrong with the connection, where none could be made; empty otherwise
 */
public record CallError(
    Status.Code code,
    String message,
    String reason,
    Outcome outcome,
    Advice advice,
    String trackId,
    List<BadRequest.FieldViolation> violations,
    Map<String, String> metadata,
    Optional<Duration> retryDelay,
    List<String> zuoraCodes,
    Optional<Instant> resendBeforeTime,
    Optional<CallOutcome> callOutcome,
    String hint) {

  private static final String DOMAIN = "payorch";
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  /**
   * {@return what a stub threw, or the cause of an exception that wraps it, decoded} It never throws itself.
   *
   * @param thrown a {@code StatusRuntimeException}, a {@code StatusException}, or what has one as its cause
   */
  public static CallError from(Throwable thrown) {
    var status = Status.fromThrowable(thrown);
    var details = details(Status.trailersFromThrowable(thrown));
    // A reason of another domain is not read.
    var info = detail(details, ErrorInfo.class).filter(found -> found.getDomain().equals(DOMAIN));
    var bad = detail(details, BadRequest.class);
    var retry = detail(details, RetryInfo.class).filter(RetryInfo::hasRetryDelay).map(RetryInfo::getRetryDelay);
    var told = detail(details, CallOutcome.class);
    return new CallError(
        status.getCode(),
        Optional.ofNullable(status.getDescription()).orElse(""),
        info.map(ErrorInfo::getReason).orElse(""),
        told.map(CallOutcome::getOutcome).filter(CallError::isStated).orElse(Outcome.OUTCOME_UNKNOWN),
        told.map(CallOutcome::getAdvice).filter(CallError::isStated).orElse(Advice.ADVICE_RESEND_SAME_REQUEST_ID),
        told.map(CallOutcome::getTrackId).orElse(""),
        bad.map(BadRequest::getFieldViolationsList).orElse(List.of()),
        info.map(ErrorInfo::getMetadataMap).orElse(Map.of()),
        retry.flatMap(delay -> readable(() -> Duration.ofSeconds(delay.getSeconds(), delay.getNanos()))),
        told.<List<String>>map(CallOutcome::getZuoraCodesList).orElse(List.of()),
        told.filter(CallOutcome::hasResendBeforeTime)
            .map(CallOutcome::getResendBeforeTime)
            .flatMap(time -> readable(() -> Instant.ofEpochSecond(time.getSeconds(), time.getNanos()))),
        told,
        "");
  }

  /** Returns the error of a call, or an attempt, that was never started, so that nothing can have been sent. */
  static CallError notStarted(Status.Code code, String message, String hint) {
    return new CallError(
        code,
        message,
        "",
        Outcome.OUTCOME_NOT_SENT,
        Advice.ADVICE_RESEND_SAME_REQUEST_ID,
        "",
        List.of(),
        Map.of(),
        Optional.empty(),
        List.of(),
        Optional.empty(),
        Optional.empty(),
        hint);
  }

  /** Returns the reason, or what stands in its place where the service did not make the error. */
  String name() {
    return reason.isEmpty() ? code.name() : reason;
  }

  /** Returns a time, or nothing for one that Java has no number for. */
  private static <T> Optional<T> readable(Supplier<T> time) {
    try {
      return Optional.of(time.get());
    } catch (DateTimeException | ArithmeticException e) {
      return Optional.empty();
    }
  }

  private static boolean isStated(Outcome outcome) {
    return switch (outcome) {
      case OUTCOME_UNSPECIFIED, UNRECOGNIZED, OUTCOME_SUCCEEDED -> false;
      default -> true;
    };
  }

  private static boolean isStated(Advice advice) {
    return advice != Advice.ADVICE_UNSPECIFIED && advice != Advice.UNRECOGNIZED;
  }

  private static List<Any> details(Metadata trailers) {
    var packed = trailers == null ? null : trailers.get(DETAILS);
    try {
      return packed == null ? List.of() : com.google.rpc.Status.parseFrom(packed).getDetailsList();
    } catch (InvalidProtocolBufferException e) {
      // Not made by the service, which means what no details mean.
      return List.of();
    }
  }

  private static <T extends Message> Optional<T> detail(List<Any> details, Class<T> kind) {
    for (var detail : details) {
      try {
        if (detail.is(kind)) {
          return Optional.of(detail.unpack(kind));
        }
      } catch (InvalidProtocolBufferException e) {
        return Optional.empty();
      }
    }
    return Optional.empty();
  }
}
