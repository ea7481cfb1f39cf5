import {
  createRegistry,
  getOption,
  hasOption,
  type DescEnum,
  type DescField,
  type DescMessage,
  type MessageShape,
  type Registry,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { AnySchema, anyUnpack, type Any } from "@bufbuild/protobuf/wkt";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.js";
import { file_payorch_v1_call } from "./gen/payorch/v1/call_pb.js";
import { file_payorch_v1_diagnostics_service } from "./gen/payorch/v1/diagnostics_service_pb.js";
import { file_payorch_v1_payment_gateway_service } from "./gen/payorch/v1/payment_gateway_service_pb.js";
import { file_payorch_v1_payment_orchestration_service } from "./gen/payorch/v1/payment_orchestration_service_pb.js";
import { sensitivity } from "./gen/payorch/v1/sensitivity_pb.js";

const REDACTED = "[redacted]";

let known: Registry | undefined;

/**
 * Returns a message as text without anything sensitive.
 *
 * One line for each value that is set, as `path: value`, in the order of field numbers. Of a sensitive field the line
 * says only that it is set; of a sensitive map not even how many entries it has. Bytes are measured, and fields that
 * this version does not know are counted, because they could hold anything.
 *
 * The redactor is driven by the descriptors alone, so a field is covered from the moment it is marked. It is the one
 * way in which a message may be rendered: console.log and JSON show everything.
 *
 * @param schema - Of the message, such as `CreateSessionRequestSchema`.
 */
export function redacted<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): string {
  return [...linesOf(reflect(schema, message, false), "")].join("\n");
}

function* linesOf(message: ReflectMessage, path: string): Generator<string> {
  if (message.desc.typeName === AnySchema.typeName) {
    yield* linesInside(message.message as Any, path);
    return;
  }
  const set = message.sortedFields.filter((field) => message.isSet(field));
  for (const field of set) {
    const below = path ? `${path}.${field.name}` : field.name;
    yield* isSensitive(field) ? [`${below}: ${REDACTED}`] : linesOfField(message, field, below);
  }
  const unknown = message.getUnknown()?.length ?? 0;
  if (unknown) {
    yield `${path || "."}: ${unknown} unknown fields`;
  } else if (set.length === 0) {
    yield `${path || "."}: set, without a value`;
  }
}

function isSensitive(field: DescField): boolean {
  return hasOption(field, sensitivity)
    ? getOption(field, sensitivity) !== 0
    : Boolean(field.proto.options?.debugRedact);
}

function* linesOfField(message: ReflectMessage, field: DescField, path: string): Generator<string> {
  if (field.fieldKind === "list") {
    for (const [index, item] of message.get(field).entries()) {
      yield* linesOfValue(item, field.enum, `${path}[${index}]`);
    }
  } else if (field.fieldKind === "map") {
    const entries = [...message.get(field).entries()].sort(([first], [second]) =>
      String(first) < String(second) ? -1 : 1,
    );
    for (const [key, item] of entries) {
      yield* linesOfValue(item, field.enum, `${path}[${JSON.stringify(key)}]`);
    }
  } else {
    yield* linesOfValue(message.get(field), field.enum, path);
  }
}

function* linesOfValue(value: unknown, kind: DescEnum | undefined, path: string): Generator<string> {
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    yield* linesOf(value as ReflectMessage, path);
  } else {
    yield `${path}: ${scalar(value, kind)}`;
  }
}

function scalar(value: unknown, kind: DescEnum | undefined): string {
  if (value instanceof Uint8Array) {
    return `<${value.length} bytes>`;
  }
  if (kind !== undefined) {
    return kind.value[Number(value)]?.name ?? String(value);
  }
  // As JSON, so that no value breaks the line or looks like another one.
  return typeof value === "bigint" ? String(value) : JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped);
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Renders what an Any holds; what cannot be read is measured. */
function* linesInside(packed: Any, path: string): Generator<string> {
  known ??= createRegistry(
    file_google_rpc_error_details,
    file_payorch_v1_call,
    file_payorch_v1_diagnostics_service,
    file_payorch_v1_payment_gateway_service,
    file_payorch_v1_payment_orchestration_service,
  );
  const schema = known.getMessage(packed.typeUrl.replace(/^.*\//, ""));
  const inside = schema && unpacked(packed, known);
  if (schema && inside) {
    yield* linesOf(reflect(schema, inside, false), `${path}(${schema.typeName})`);
  } else {
    yield `${path || "."}: <${packed.value.length} bytes of a type that is not known>`;
  }
}

function unpacked(packed: Any, registry: Registry) {
  try {
    return anyUnpack(packed, registry);
  } catch {
    return undefined;
  }
}
