package internal.payorch;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import internal.payorch.v1.Advice;
import internal.payorch.v1.CallOutcome;
import internal.payorch.v1.Outcome;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** How errors are read, whether or not the service made them. */
class CallErrorTest {
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private static Throwable failed(byte[] details) {
    var trailers = new Metadata();
    trailers.put(DETAILS, details);
    return Status.UNAVAILABLE.asRuntimeException(trailers);
  }

  private static Throwable packed(Any... details) {
    return failed(com.google.rpc.Status.newBuilder().addAllDetails(Arrays.asList(details)).build().toByteArray());
  }

  private static Throwable failed(Message detail) {
    return packed(Any.pack(detail));
  }

  static Stream<Throwable> toldNothing() {
    var broken = ByteString.copyFrom(new byte[] {-1, -1});
    var newer = CallOutcome.newBuilder().setOutcomeValue(99).setAdviceValue(99);
    return Stream.of(
        Status.UNAVAILABLE.asRuntimeException(),
        new IllegalStateException("not of gRPC"),
        failed(new byte[] {-1, -1}),
        packed(Any.pack(CallOutcome.getDefaultInstance()).toBuilder().setValue(broken).build()),
        failed(CallOutcome.getDefaultInstance()),
        failed(newer.build()));
  }

  @ParameterizedTest
  @MethodSource("toldNothing")
  void whatTellsNoOutcomeIsAnUnknownOne(Throwable thrown) {
    var error = CallError.from(thrown);

    assertEquals(Outcome.OUTCOME_UNKNOWN, error.outcome());
    assertEquals(Advice.ADVICE_RESEND_SAME_REQUEST_ID, error.advice());
  }

  @Test
  void whatTheServiceStatesIsTaken() {
    var told =
        CallOutcome.newBuilder().setOutcome(Outcome.OUTCOME_REFUSED).setAdvice(Advice.ADVICE_LOOK_UP).setTrackId("t");
    var error = CallError.from(failed(told.build()));

    assertEquals(Outcome.OUTCOME_REFUSED, error.outcome());
    assertEquals(Advice.ADVICE_LOOK_UP, error.advice());
    assertEquals("t", error.trackId());
  }

  @Test
  void aReasonOfAnotherDomainIsNotRead() {
    var info = ErrorInfo.newBuilder().setDomain("proxy.example").setReason("REQUEST_INVALID").build();

    assertEquals("", CallError.from(failed(info)).reason());
  }

  @Test
  void aTimeThatJavaCannotHoldIsNone() {
    var told = CallOutcome.newBuilder().setResendBeforeTime(Timestamp.newBuilder().setSeconds(Long.MAX_VALUE)).build();
    var delay = com.google.protobuf.Duration.newBuilder().setSeconds(Long.MAX_VALUE).setNanos(Integer.MAX_VALUE);
    var error = CallError.from(packed(Any.pack(told), Any.pack(RetryInfo.newBuilder().setRetryDelay(delay).build())));

    assertEquals(Optional.empty(), error.resendBeforeTime());
    assertEquals(Optional.empty(), error.retryDelay());
  }
}
