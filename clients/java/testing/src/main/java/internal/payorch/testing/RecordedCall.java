package internal.payorch.testing;

import com.google.protobuf.Message;
import java.util.Map;

/**
 * A call that was received.
 *
 * @param rpc name of the RPC, such as {@code CreateSession}
 * @param request its message
 * @param trackId the caller's own Zuora-Track-Id, or the one that was made
 * @param token the JSON Web Token; empty if there was none
 * @param metadata all the metadata, without binary values
 * @param reason why it failed; empty if it succeeded
 * @param executed whether it was executed, rather than refused or answered from the record
 */
public record RecordedCall(
    String rpc,
    Message request,
    String trackId,
    String token,
    Map<String, String> metadata,
    String reason,
    boolean executed) {

  /** {@return the request id of its intent; empty where the RPC has none} */
  public String requestId() {
    return Answers.requestId(request);
  }

  /** Shows no request and no token, which are sensitive. */
  @Override
  public String toString() {
    var ended = reason.isEmpty() ? "succeeded" : reason;
    return "RecordedCall[%s, %s, %s%s]".formatted(rpc, requestId(), ended, executed ? ", executed" : "");
  }

  RecordedCall failed(String why) {
    return new RecordedCall(rpc, request, trackId, token, metadata, why, executed);
  }

  RecordedCall executed(boolean was) {
    return new RecordedCall(rpc, request, trackId, token, metadata, reason, was);
  }
}
