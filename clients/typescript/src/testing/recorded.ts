import {
  clone,
  create,
  equals,
  type DescField,
  type DescMessage,
  type DescMethodUnary,
  type Message,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { Advice, CallOutcomeSchema, Outcome } from "../gen/payorch/v1/call_pb.js";
import { DiagnosticsService } from "../gen/payorch/v1/diagnostics_service_pb.js";
import type { ExplainRouteRequest, GetCallRequest, GetQuotaRequest } from "../gen/payorch/v1/diagnostics_service_pb.js";
import {
  GetIntentResponseSchema,
  IntentState,
  Operation,
  PaymentOrchestrationService,
  type CreatePaymentMethodRequest,
  type CreateSessionRequest,
  type DecryptApplePayRequest,
  type GetIntentRequest,
  type GetIntentResponse,
} from "../gen/payorch/v1/payment_orchestration_service_pb.js";
import type { Failure } from "./catalogue.js";

const MOST_TRACK_IDS = 10;

/** The requests by the names of their RPCs. */
export interface Requests {
  readonly CreateSession: CreateSessionRequest;
  readonly DecryptApplePay: DecryptApplePayRequest;
  readonly CreatePaymentMethod: CreatePaymentMethodRequest;
  readonly GetIntent: GetIntentRequest;
  readonly ExplainRoute: ExplainRouteRequest;
  readonly GetCall: GetCallRequest;
  readonly GetQuota: GetQuotaRequest;
}

/** Name of an RPC. */
export type RpcName = keyof Requests;

/** Every RPC of both services. */
export const RPCS: readonly DescMethodUnary[] = [
  ...PaymentOrchestrationService.methods,
  ...DiagnosticsService.methods,
] as DescMethodUnary[];

/** The RPC of each operation that GetIntent asks about. */
const OPERATIONS: Readonly<Partial<Record<Operation, RpcName>>> = {
  [Operation.CREATE_SESSION]: "CreateSession",
  [Operation.DECRYPT_APPLE_PAY]: "DecryptApplePay",
  [Operation.CREATE_PAYMENT_METHOD]: "CreatePaymentMethod",
};

interface Recorded<Name extends RpcName> {
  /** Name of the RPC. */
  readonly rpc: Name;
  /** Its message. */
  readonly request: Requests[Name];
  /** Of its intent; empty where the RPC has none. */
  readonly requestId: string;
  /** The caller's own Zuora-Track-Id, or the one that was made. */
  readonly trackId: string;
  /** The JSON Web Token; empty if there was none. */
  readonly token: string;
  /** All the metadata, without binary values. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Why it failed; empty if it succeeded. */
  readonly reason: string;
  /** Whether it was executed, rather than refused or answered from the record. */
  readonly executed: boolean;
}

/** A call that was received. */
export type RecordedCall = { [Name in RpcName]: Recorded<Name> }[RpcName];

/** What is known of an intent. */
export interface IntentRecord {
  /** As it came first. */
  readonly request: Message;
  /** Undefined as long as it has not succeeded. */
  answer: Message | undefined;
  /** How its last call failed; undefined after a success. */
  failure: Failure | undefined;
  settled: boolean;
  readonly trackIds: string[];
}

/** Returns the names of the fields in which a request differs from the first one of its intent. */
export function differences(schema: DescMessage, first: Message, second: Message): string[] {
  const differs = (field: DescField) => !equals(schema, only(schema, first, field), only(schema, second, field));
  return schema.fields.filter(differs).map(({ name }) => name);
}

/** Returns a copy of a message that has one of its fields. */
function only(schema: DescMessage, message: Message, kept: DescField): Message {
  const copy = reflect(schema, clone(schema, message), false);
  schema.fields.filter((field) => field !== kept && copy.isSet(field)).forEach((field) => copy.clear(field));
  return copy.message;
}

/** Returns the key of an intent's record. */
export function keyOf(rpc: string, requestId: string): string {
  return `${rpc} ${requestId}`;
}

/** Returns what GetIntent answers. */
export function intentOf(records: ReadonlyMap<string, IntentRecord>, asked: GetIntentRequest): GetIntentResponse {
  const rpc = OPERATIONS[asked.operation] ?? "";
  const record = records.get(keyOf(rpc, asked.requestId));
  if (record === undefined) {
    return create(GetIntentResponseSchema, { intentState: IntentState.NOT_FOUND });
  }
  const trackId = record.trackIds.at(-1) ?? "";
  const succeeded = { outcome: Outcome.SUCCEEDED, advice: Advice.NONE, trackId };
  return create(GetIntentResponseSchema, {
    intentState: IntentState.SETTLED,
    trackIds: record.trackIds.slice(-MOST_TRACK_IDS),
    callOutcome: record.failure?.callOutcome(rpc, trackId) ?? create(CallOutcomeSchema, succeeded),
  });
}
