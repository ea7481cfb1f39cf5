package internal.payorch.testing;

import com.google.protobuf.Message;
import internal.payorch.v1.GetIntentRequest;
import internal.payorch.v1.GetIntentResponse;
import internal.payorch.v1.IntentState;
import internal.payorch.v1.Operation;
import internal.payorch.v1.Outcome;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a double of the service answers: by plan, by record, or by executing. For one thread at a time. */
final class Script {
  private static final Map<Operation, String> OPERATIONS =
      Map.of(
          Operation.OPERATION_CREATE_SESSION, "CreateSession",
          Operation.OPERATION_DECRYPT_APPLE_PAY, "DecryptApplePay",
          Operation.OPERATION_CREATE_PAYMENT_METHOD, "CreatePaymentMethod");

  private final List<Plan> plans = new ArrayList<>();
  private final Map<List<String>, IntentRecord> records = new HashMap<>();
  private int number;

  /** How a call ends, if not by an answer. */
  sealed interface Ending {}

  /** As the service ends it. */
  record Failed(Failure failure) implements Ending {}

  /** As with a proxy between client and service: nothing is known of its outcome. */
  record WithoutDetails(Status status) implements Ending {}

  /** What the next calls of an RPC, or of any, end with. */
  private static final class Plan {
    private final String rpc;
    private final Ending ending;
    private int left;

    private Plan(String rpc, int times, Ending ending) {
      this.rpc = rpc;
      this.ending = ending;
      this.left = times;
    }

    private boolean fits(String called, boolean settled) {
      return (rpc.isEmpty() || rpc.equals(called)) && (!settled || comesBeforeTheRecord());
    }

    /** Returns whether a call ends so although its intent is settled. */
    private boolean comesBeforeTheRecord() {
      return !(ending instanceof Failed failed) || failed.failure().outcome() == Outcome.OUTCOME_NOT_SENT;
    }
  }

  /**
   * What becomes of a call.
   *
   * @param answer null if it fails
   * @param ending null if it succeeds
   */
  record Result(RecordedCall call, Message answer, Ending ending) {
    private static Result of(RecordedCall call, Message answer) {
      return new Result(call, answer, null);
    }

    private static Result of(RecordedCall call, Failure failure) {
      return new Result(call.failed(failure.reason()), null, new Failed(failure));
    }
  }

  void plan(String rpc, int times, Ending ending) {
    if (times < 1) {
      throw new IllegalArgumentException("times: %d is less than 1".formatted(times));
    }
    plans.add(new Plan(rpc, times, ending));
  }

  /**
   * Returns what becomes of a call.
   *
   * @param empty the answer of an RPC that executes nothing
   */
  Result answer(RecordedCall call, Message empty) {
    var record = Optional.ofNullable(records.get(List.of(call.rpc(), call.requestId())));
    var ending = next(call.rpc(), record.map(IntentRecord::isSettled).orElse(false));
    // A proxy answers in the place of the service.
    if (ending instanceof WithoutDetails without) {
      return new Result(call.failed(without.status().getCode().name()), null, without);
    }
    var planned = ending instanceof Failed failed ? failed.failure() : null;
    if (!OPERATIONS.containsValue(call.rpc())) {
      return planned == null ? Result.of(call, read(call.request(), empty)) : Result.of(call, planned);
    }
    var notSent = planned != null && planned.outcome() == Outcome.OUTCOME_NOT_SENT;
    var refusal = notSent ? Optional.of(planned) : refusal(record, call.request());
    if (refusal.isPresent()) {
      return Result.of(call, refusal.get());
    }
    if (planned == null && Answers.onlyChecks(call.request())) {
      return Result.of(call, Answers.executed(call.request(), call.trackId(), 0));
    }
    return run(call, planned);
  }

  private Ending next(String rpc, boolean settled) {
    var found = plans.stream().filter(plan -> plan.fits(rpc, settled)).findFirst();
    found.ifPresent(plan -> plan.left--);
    plans.removeIf(plan -> plan.left == 0);
    return found.map(plan -> plan.ending).orElse(null);
  }

  private Message read(Message request, Message empty) {
    if (!(request instanceof GetIntentRequest asked)) {
      return empty;
    }
    var rpc = OPERATIONS.getOrDefault(asked.getOperation(), "");
    var record = records.get(List.of(rpc, asked.getRequestId()));
    return record == null
        ? GetIntentResponse.newBuilder().setIntentState(IntentState.INTENT_STATE_NOT_FOUND).build()
        : record.intent(rpc);
  }

  /** Returns why a request is refused before it is executed. */
  private static Optional<Failure> refusal(Optional<IntentRecord> record, Message request) {
    var broken = Answers.brokenRules(request);
    if (!broken.isEmpty()) {
      return Optional.of(named("REQUEST_INVALID", broken));
    }
    var differing = new HashMap<String, String>();
    record.ifPresent(
        known ->
            known
                .differences(request)
                .forEach(name -> differing.put(name, "differs from the first request with this request_id")));
    return differing.isEmpty() ? Optional.empty() : Optional.of(named("INTENT_MISMATCH", differing));
  }

  private static Failure named(String reason, Map<String, String> violations) {
    var failure = Failure.of(reason);
    for (var violation : violations.entrySet()) {
      failure = failure.violation(violation.getKey(), violation.getValue());
    }
    return failure;
  }

  /** Executes an intent, fails it, or answers it from its record. */
  private Result run(RecordedCall call, Failure planned) {
    var key = List.of(call.rpc(), call.requestId());
    var record = records.computeIfAbsent(key, ignored -> new IntentRecord(call.request()));
    record.called(call.trackId());
    if (record.isSettled()) {
      return record.failure() == null
          ? Result.of(call, Answers.replayed(record.answer(), call.trackId()))
          : Result.of(call, record.failure());
    }
    if (planned != null && !planned.isExecuted()) {
      record.failed(planned, planned.settles(call.rpc()));
      return Result.of(call, planned);
    }
    record.succeeded(Answers.executed(call.request(), call.trackId(), ++number));
    var executed = call.executed(true);
    return planned == null ? Result.of(executed, record.answer()) : Result.of(executed, planned);
  }
}
