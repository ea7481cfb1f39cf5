package internal.payorch.testing;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import internal.payorch.v1.Advice;
import internal.payorch.v1.CallOutcome;
import internal.payorch.v1.GetIntentResponse;
import internal.payorch.v1.IntentState;
import internal.payorch.v1.Outcome;
import java.util.ArrayList;
import java.util.List;

/** What is known of an intent. */
final class IntentRecord {
  private static final int MOST_TRACK_IDS = 10;

  private final Message request;
  private final List<String> trackIds = new ArrayList<>();
  private Message answer;
  private Failure failure;
  private boolean settled;

  /** Starts the record of the first request. */
  IntentRecord(Message request) {
    this.request = request;
  }

  boolean isSettled() {
    return settled;
  }

  /** Returns its answer; null as long as it has not succeeded. */
  Message answer() {
    return answer;
  }

  /** Returns how its last call failed; null after a success. */
  Failure failure() {
    return failure;
  }

  void called(String trackId) {
    trackIds.add(trackId);
  }

  void succeeded(Message given) {
    answer = given;
    failure = null;
    settled = true;
  }

  void failed(Failure why, boolean settles) {
    failure = why;
    settled = settles;
  }

  /** Returns the names of the fields in which a request differs from the first one. */
  List<String> differences(Message other) {
    return request.getDescriptorForType().getFields().stream()
        .filter(field -> !isSame(field, other))
        .map(FieldDescriptor::getName)
        .toList();
  }

  private boolean isSame(FieldDescriptor field, Message other) {
    var present = !field.hasPresence() || request.hasField(field) == other.hasField(field);
    return present && request.getField(field).equals(other.getField(field));
  }

  /** Returns what GetIntent answers about it. */
  GetIntentResponse intent(String rpc) {
    var newest = trackIds.subList(Math.max(0, trackIds.size() - MOST_TRACK_IDS), trackIds.size());
    var trackId = trackIds.get(trackIds.size() - 1);
    var succeeded =
        CallOutcome.newBuilder()
            .setOutcome(Outcome.OUTCOME_SUCCEEDED)
            .setAdvice(Advice.ADVICE_NONE)
            .setTrackId(trackId)
            .build();
    return GetIntentResponse.newBuilder()
        .setIntentState(IntentState.INTENT_STATE_SETTLED)
        .addAllTrackIds(newest)
        .setCallOutcome(failure == null ? succeeded : failure.callOutcome(rpc, trackId))
        .build();
  }
}
