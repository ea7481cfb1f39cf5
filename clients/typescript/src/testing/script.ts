import { clone, create, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { Outcome, Replay } from "../gen/payorch/v1/call_pb.js";
import { brokenRules, checkedAnswer, executedAnswer, type Answer, type ExecutingCall } from "./answers.js";
import { Failure } from "./catalogue.js";
import { differences, intentOf, keyOf, type IntentRecord, type RecordedCall } from "./recorded.js";

const EXECUTING = ["CreateSession", "DecryptApplePay", "CreatePaymentMethod"];

/** An error without details, as a proxy makes it. */
export class Nothing {
  constructor(
    readonly code: status,
    readonly message: string,
  ) {}
}

/** What the next calls end with. */
export interface Plan {
  /** Name of the RPC; empty: any. */
  readonly rpc: string;
  /** For how many calls it still holds. */
  left: number;
  readonly ending: Failure | Nothing;
}

/** How a call ends, and the call with what became of it. */
export interface Ending {
  readonly result: Message | Failure | Nothing;
  readonly call: RecordedCall;
}

/** Decides what each call ends with: by plan, by record, or by executing. */
export class Script {
  readonly #plans: Plan[] = [];
  readonly #records = new Map<string, IntentRecord>();
  #number = 0;

  /** Adds a plan, after the others. */
  plan(plan: Plan): void {
    this.#plans.push(plan);
  }

  /** Returns how a call ends. */
  answer(method: DescMethodUnary, call: RecordedCall): Ending {
    const record = this.#records.get(keyOf(call.rpc, call.requestId));
    const planned = this.#nextEnding(call.rpc, record?.settled ?? false);
    // A proxy answers in the place of the service.
    if (planned instanceof Nothing) {
      return { result: planned, call: { ...call, reason: status[planned.code] } };
    }
    if (!isExecuting(call)) {
      return planned ? failed(call, planned) : { result: this.#read(method, call), call };
    }
    const unsent = planned?.outcome === Outcome.NOT_SENT ? planned : refusal(method, record, call);
    if (unsent !== undefined) {
      return failed(call, unsent);
    }
    if (call.request.validateOnly && planned === undefined) {
      return { result: checkedAnswer(method.output, call), call };
    }
    return this.#run(method, call, planned);
  }

  #nextEnding(rpc: string, settled: boolean): Failure | Nothing | undefined {
    const fits = (plan: Plan) =>
      (plan.rpc === "" || plan.rpc === rpc) && (!settled || comesBeforeTheRecord(plan.ending));
    const plan = this.#plans.find(fits);
    if (plan !== undefined) {
      plan.left -= 1;
      if (plan.left <= 0) {
        this.#plans.splice(this.#plans.indexOf(plan), 1);
      }
    }
    return plan?.ending;
  }

  #read(method: DescMethodUnary, call: RecordedCall): Message {
    return call.rpc === "GetIntent" ? intentOf(this.#records, call.request) : create(method.output);
  }

  /** Executes an intent, fails it, or answers it from its record. */
  #run(method: DescMethodUnary, call: ExecutingCall, failure: Failure | undefined): Ending {
    const record = this.#recordOf(call);
    record.trackIds.push(call.trackId);
    if (record.settled) {
      return record.failure ? failed(call, record.failure) : { result: replayed(method, record.answer, call), call };
    }
    const executed = failure === undefined || failure.executed;
    if (executed) {
      record.answer = executedAnswer(call, ++this.#number);
    }
    record.settled = executed || failure.settles(call.rpc);
    record.failure = executed ? undefined : failure;
    const ended = { ...call, executed };
    return failure ? failed(ended, failure) : { result: record.answer as Message, call: ended };
  }

  #recordOf(call: ExecutingCall): IntentRecord {
    const key = keyOf(call.rpc, call.requestId);
    const fresh = { request: call.request, answer: undefined, failure: undefined, settled: false, trackIds: [] };
    const record = this.#records.get(key) ?? fresh;
    this.#records.set(key, record);
    return record;
  }
}

/** Returns whether a call ends so although its intent is settled. */
function comesBeforeTheRecord(ending: Failure | Nothing): boolean {
  return ending instanceof Nothing || ending.outcome === Outcome.NOT_SENT;
}

function isExecuting(call: RecordedCall): call is ExecutingCall {
  return EXECUTING.includes(call.rpc);
}

/** Returns why a request is refused before it is executed. */
function refusal(
  { input }: DescMethodUnary,
  record: IntentRecord | undefined,
  call: ExecutingCall,
): Failure | undefined {
  const broken = brokenRules(input, call.request, call.requestId);
  if (Object.keys(broken).length > 0) {
    return new Failure("REQUEST_INVALID", { violations: broken });
  }
  const names = record === undefined ? [] : differences(input, record.request, call.request);
  const violations = Object.fromEntries(
    names.map((name) => [name, "differs from the first request with this request_id"]),
  );
  return names.length === 0 ? undefined : new Failure("INTENT_MISMATCH", { violations });
}

function failed(call: RecordedCall, failure: Failure): Ending {
  return { result: failure, call: { ...call, reason: failure.reason } };
}

function replayed({ output }: DescMethodUnary, answer: Message | undefined, { trackId }: ExecutingCall): Message {
  const copy: Answer = clone(output, answer ?? create(output));
  Object.assign(copy.call ?? {}, { replayed: Replay.YES, trackId });
  return copy;
}
