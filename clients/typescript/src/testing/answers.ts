import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { Replay, type CallInfo, type UpstreamRequest } from "../gen/payorch/v1/call_pb.js";
import {
  CreatePaymentMethodResponseSchema,
  CreateSessionResponseSchema,
  DecryptApplePayResponseSchema,
} from "../gen/payorch/v1/payment_orchestration_service_pb.js";
import type { RecordedCall } from "./recorded.js";

const RULE = "must be 16 to 128 characters from 0x21 to 0x7E";

/** What all executing RPCs have in their answers. */
export interface Answer extends Message {
  call?: CallInfo | undefined;
  upstreamRequest?: UpstreamRequest | undefined;
}

/** A call of an RPC that executes intents. */
export type ExecutingCall = Extract<RecordedCall, { rpc: "CreateSession" | "DecryptApplePay" | "CreatePaymentMethod" }>;

/** Returns what is wrong with a request, by field. The service knows many more rules. */
export function brokenRules(schema: DescMessage, request: Message, requestId: string): Record<string, string> {
  const message = reflect(schema, request, false);
  const missing = schema.oneofs.filter((group) => message.oneofCase(group) === undefined);
  return {
    ...(/^[!-~]{16,128}$/.test(requestId) ? {} : { request_id: RULE }),
    ...Object.fromEntries(missing.map(({ name }) => [name, "exactly one field is required in oneof"])),
  };
}

/** Returns the answer to a request that is executed as the one with this number. */
export function executedAnswer(call: ExecutingCall, number: number): Answer {
  const { trackId } = call;
  const executed = {
    ...callInfo(call),
    replayed: Replay.NO,
    attemptCount: 1,
    executedTrackId: trackId,
    firstSendTime: timestampNow(),
  };
  const paymentMethodId = `fake-method-${number}`;
  const paymentId = `fake-payment-${number}`;
  switch (call.rpc) {
    case "CreateSession":
      return create(CreateSessionResponseSchema, { call: executed, session: { token: `fake-session-${number}` } });
    case "DecryptApplePay": {
      const paid = call.request.charge.case === "payInvoice" ? { paymentId } : {};
      return create(DecryptApplePayResponseSchema, { call: executed, paymentMethodId, ...paid });
    }
    case "CreatePaymentMethod": {
      const { method } = call.request;
      const paid = method.case === "applePay" && method.value.charge.case === "payInvoice" ? { paymentId } : {};
      return create(CreatePaymentMethodResponseSchema, {
        call: executed,
        paymentMethod: { id: paymentMethodId, ...paid },
      });
    }
  }
}

/** Returns the answer to a request that is only checked. */
export function checkedAnswer(schema: DescMessage, call: ExecutingCall): Message {
  const upstreamRequest = { method: "POST", uri: "https://zuora.invalid/" };
  return create(schema, { call: callInfo(call), upstreamRequest } as Record<string, unknown>);
}

function callInfo({ trackId, requestId }: ExecutingCall) {
  return { trackId, requestId, routeTaken: { tenant: "fake" }, matchedRule: "fake" };
}
