import {
  clone,
  create,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  isFieldError,
  isReflectList,
  isReflectMap,
  isReflectMessage,
  reflect,
  type ReflectMessage,
} from "@bufbuild/protobuf/reflect";
import { ArgumentError } from "./errors.js";
import { PayInvoiceSchema } from "./gen/payorch/v1/apple_pay_pb.js";
import { GetCallRequestSchema } from "./gen/payorch/v1/diagnostics_service_pb.js";
import { GetIntentRequestSchema } from "./gen/payorch/v1/payment_orchestration_service_pb.js";
import { newRequestId } from "./identifiers.js";
import { checkMembers } from "./members.js";

const PAYMENT_WITHOUT_ID =
  "request_id: it is required, because the request pays an invoice. An id made by the client would differ in each " +
  "call, so a retry around the call would charge twice. Store newRequestId() with the order, and set it.";

/** What is sent, and its request id; empty where the RPC has none. */
export interface Outgoing {
  readonly bytes: Buffer;
  readonly requestId: string;
}

/**
 * Returns what is sent for a request of a caller's, which is never changed.
 *
 * @throws ArgumentError if it is another message, has a member that the message has not, or lacks the request id that
 *   it needs.
 */
export function outgoing<Input extends DescMessage>(schema: Input, request: MessageInitShape<Input>): Outgoing {
  if (typeof request !== "object" || request === null) {
    throw new ArgumentError(
      `request: a ${schema.typeName} is needed, not ${request === null ? "null" : typeof request}`,
    );
  }
  checkMembers(schema, request, "request");
  try {
    return prepared(schema, create(schema, request));
  } catch (error) {
    // The text of another error may hold a value of the request.
    throw error instanceof ArgumentError
      ? error
      : new ArgumentError(`request: ${wrongPartOf(error)} has no valid value`);
  }
}

function prepared<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Outgoing {
  const copy = clone(schema, message);
  // That of GetCall names other calls, or is left out.
  const named = "requestId" in schema.field && schema.typeName !== GetCallRequestSchema.typeName;
  const requestId = named ? requestIdOf(schema, copy) : "";
  const sent = requestId === "" ? copy : Object.assign(copy, { requestId });
  return { bytes: Buffer.from(toBinary(schema, sent)), requestId };
}

function wrongPartOf(error: unknown): string {
  return isFieldError(error) ? String(error.field()) : "a member";
}

function requestIdOf<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): string {
  const { requestId } = message as unknown as { readonly requestId: string };
  if (requestId !== "") {
    return requestId;
  }
  if (holds(reflect(schema, message, false), PayInvoiceSchema.typeName)) {
    throw new ArgumentError(PAYMENT_WITHOUT_ID);
  }
  // The service would answer truthfully that it knows nothing of a fresh one.
  if (schema.typeName === GetIntentRequestSchema.typeName) {
    throw new ArgumentError("request_id: it is required; it names the intent that is asked about");
  }
  return newRequestId();
}

/** Returns whether a message is of a type, or holds one that is. */
function holds(message: ReflectMessage, typeName: string): boolean {
  const set = message.fields.filter((field) => message.isSet(field)).map((field) => message.get(field));
  return message.desc.typeName === typeName || set.flatMap(messagesIn).some((inner) => holds(inner, typeName));
}

function messagesIn(value: unknown): ReflectMessage[] {
  if (isReflectMessage(value)) {
    return [value];
  }
  return isReflectList(value) || isReflectMap(value)
    ? [...value.values()].filter((item) => isReflectMessage(item))
    : [];
}
