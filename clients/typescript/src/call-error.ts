import { fromBinary, type Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { anyUnpack, durationMs, timestampDate } from "@bufbuild/protobuf/wkt";
import { status, type Metadata, type ServiceError } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema, type Status } from "./gen/google/rpc/status_pb.js";
import { Advice, CallOutcomeSchema, Outcome, type CallOutcome } from "./gen/payorch/v1/call_pb.js";

/** One broken rule of a request. */
export interface FieldViolation {
  /** Path of the field. */
  readonly field: string;
  /** Stable name of the rule. */
  readonly rule: string;
  /** What must hold. */
  readonly description: string;
}

/** An error status, decoded. */
export interface CallError {
  /** The status code of gRPC. */
  readonly code: status;
  /** For people. */
  readonly message: string;
  /** Name of the ErrorReason without its prefix; empty if the service did not make the error. */
  readonly reason: string;
  /** What happened at Zuora; never unspecified. */
  readonly outcome: Outcome;
  /** What to do next; never unspecified. */
  readonly advice: Advice;
  /** The Zuora-Track-Id of the call; empty if the service did not make the error. */
  readonly trackId: string;
  /** The broken rules, if the request breaks any. */
  readonly violations: readonly FieldViolation[];
  /** Of the ErrorInfo. */
  readonly metadata: Readonly<Record<string, string>>;
  /** How long to wait before the next send; undefined if the service does not say. */
  readonly retryDelayMs: number | undefined;
  /** As Zuora sent them. */
  readonly zuoraCodes: readonly string[];
  /** Until when the same request is safe to be sent again; undefined where the advice is not to. */
  readonly resendBeforeTime: Date | undefined;
  /** Everything else: Zuora's ids, attempts, what exists. Undefined if the error has none. */
  readonly callOutcome: CallOutcome | undefined;
  /** What may be wrong with the connection, where none could be made; empty otherwise. */
  readonly hint: string;
}

/** Of the service's own ErrorInfo. */
const DOMAIN = "payorch";
const DETAILS_KEY = "grpc-status-details-bin";

/**
 * Reads the error of a call that was made without this package's clients.
 *
 * An error that carries no CallOutcome, such as one made by a proxy, means: outcome UNKNOWN, advice resend with the
 * same request id. So do values that this version of the client does not know.
 */
export function callErrorOf(error: unknown): CallError {
  const { code = status.UNKNOWN, details = String(error), metadata } = partsOf(error);
  const told = statusOf(metadata);
  const info = detail(told, ErrorInfoSchema);
  const ours = info?.domain === DOMAIN ? info : undefined;
  const outcome = detail(told, CallOutcomeSchema);
  const delay = detail(told, RetryInfoSchema)?.retryDelay;
  return {
    code,
    message: details,
    reason: ours?.reason ?? "",
    outcome: happened(outcome),
    advice: known(Advice, outcome?.advice) ?? Advice.RESEND_SAME_REQUEST_ID,
    trackId: outcome?.trackId ?? "",
    violations: (detail(told, BadRequestSchema)?.fieldViolations ?? []).map((violation) => ({
      field: violation.field,
      rule: violation.reason,
      description: violation.description,
    })),
    metadata: ours?.metadata ?? {},
    retryDelayMs: delay && durationMs(delay),
    zuoraCodes: outcome?.zuoraCodes ?? [],
    resendBeforeTime: resendBeforeTime(outcome),
    callOutcome: outcome,
    hint: "",
  };
}

/** Returns the error of an attempt that was provably never sent. */
export function notSent(code: status, message: string, hint = ""): CallError {
  return {
    ...callErrorOf(undefined),
    code,
    message,
    outcome: Outcome.NOT_SENT,
    hint,
  };
}

/** Returns what grpc-js says of an error; nothing if it comes from elsewhere. */
function partsOf(error: unknown): Partial<ServiceError> {
  // Another copy of grpc-js has classes of its own, so the members are looked at and not the class.
  return error instanceof Error && "metadata" in error && "details" in error ? (error as ServiceError) : {};
}

function statusOf(metadata: Metadata | undefined): Status | undefined {
  const packed = metadata?.get(DETAILS_KEY)[0];
  if (!Buffer.isBuffer(packed)) {
    return undefined;
  }
  try {
    return fromBinary(StatusSchema, packed);
  } catch {
    return undefined; // No details, and so an unknown outcome.
  }
}

function detail<Detail extends Message>(told: Status | undefined, schema: GenMessage<Detail>): Detail | undefined {
  for (const packed of told?.details ?? []) {
    try {
      const found = anyUnpack(packed, schema);
      if (found) {
        return found;
      }
    } catch {
      // Spoiled on the way: as if it were not there.
    }
  }
  return undefined;
}

/** Returns a value that the enum states; undefined if it is unspecified or of a later contract. */
function known<Value extends number>(values: Readonly<Record<number, string>>, value: Value | undefined) {
  return value && values[value] !== undefined ? value : undefined;
}

/** Returns what happened; an error that claims a success contradicts itself, and says nothing certain. */
function happened(told: CallOutcome | undefined): Outcome {
  const outcome = known(Outcome, told?.outcome) ?? Outcome.UNKNOWN;
  return outcome === Outcome.SUCCEEDED ? Outcome.UNKNOWN : outcome;
}

function resendBeforeTime(told: CallOutcome | undefined): Date | undefined {
  const time = told?.resendBeforeTime && timestampDate(told.resendBeforeTime);
  return time === undefined || Number.isNaN(time.getTime()) ? undefined : time; // NaN: no time that there is
}
