import { isMessage, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { ArgumentError } from "./errors.js";

/**
 * Refuses members that protobuf would silently ignore, such as a misspelt `expectedAmount`.
 *
 * @throws ArgumentError if there is one, or if the message is another one.
 */
export function checkMembers(schema: DescMessage, given: object, path: string): void {
  if (isMessage(given)) {
    if (given.$typeName !== schema.typeName) {
      throw new ArgumentError(`${path}: a ${schema.typeName} is needed, not a ${given.$typeName}`);
    }
    return;
  }
  const members = new Map(schema.members.map((member) => [member.localName, member]));
  for (const [name, value] of Object.entries(given)) {
    const member = members.get(name);
    const below = `${path}.${name}`;
    if (member === undefined) {
      throw new ArgumentError(`${below}: ${schema.typeName} has no such member`);
    }
    if (member.kind === "oneof") {
      checkOneof(member.fields, value, below);
    } else {
      checkField(member, value, below);
    }
  }
}

function checkOneof(fields: readonly DescField[], given: unknown, path: string): void {
  const { case: name, value } = (given ?? {}) as { readonly case?: string; readonly value?: unknown };
  if (name === undefined) {
    return;
  }
  const field = fields.find(({ localName }) => localName === name);
  if (field === undefined) {
    throw new ArgumentError(`${path}: it has no case ${name}`);
  }
  if (value === undefined || value === null) {
    throw new ArgumentError(`${path}: the value of its case ${name} is missing`);
  }
  checkField(field, value, `${path}.${name}`);
}

/** Looks into messages that are given as plain objects; those of Google's own types may be given in other forms. */
function checkField(field: DescField, value: unknown, path: string): void {
  if (!field.message || field.message.typeName.startsWith("google.protobuf.") || typeof value !== "object" || !value) {
    return;
  }
  const items: readonly unknown[] = field.fieldKind === "message" ? [value] : Object.values(value);
  for (const item of items) {
    if (typeof item === "object" && item !== null) {
      checkMembers(field.message, item, path);
    }
  }
}
