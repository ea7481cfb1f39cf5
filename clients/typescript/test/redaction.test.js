// A message as text without anything sensitive.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, getOption, hasOption } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { applePayToken, money, redacted } from "@payorch/client";
import {
  CreatePaymentMethodRequestSchema,
  CreateSessionRequestSchema,
  CreateSessionResponseSchema,
  DecryptApplePayRequestSchema,
  DiagnosticsService,
  PaymentGatewayService,
  PaymentOrchestrationService,
  Replay,
  sensitivity,
} from "@payorch/client/v1";
import { StatusSchema } from "../dist/gen/google/rpc/status_pb.js";

const SECRET = "53cr3t";

test("a session is shown as by the client of Python", () => {
  const message = create(CreateSessionRequestSchema, {
    requestId: "order-4711-attempt-1",
    route: { tenant: "\u00fc\u007f\u{1f34e}" },
    flow: { case: "oneTimePayment", value: { accountId: "a1", amount: money("100.10", "USD") } },
    gatewayOptions: { b: "2", a: "1" },
  });

  assert.deepEqual(redacted(CreateSessionRequestSchema, message).split("\n"), [
    'request_id: "order-4711-attempt-1"',
    'route.tenant: "\\u00fc\\u007f\\ud83c\\udf4e"',
    'one_time_payment.amount.currency_code: "USD"',
    "one_time_payment.amount.units: 100",
    "one_time_payment.amount.nanos: 100000000",
    'one_time_payment.account_id: "a1"',
    "gateway_options: [redacted]",
  ]);
});

test("a token is not shown", () => {
  const request = create(DecryptApplePayRequestSchema, { tokenJson: applePayToken({ data: SECRET }) });
  const answer = create(CreateSessionResponseSchema, { session: { token: SECRET }, call: { replayed: Replay.NO } });

  assert.equal(redacted(DecryptApplePayRequestSchema, request), "token_json: [redacted]");
  assert.match(
    redacted(CreateSessionResponseSchema, answer),
    /^session\.token: \[redacted\]\ncall\.replayed: REPLAY_NO$/,
  );
});

test("fields that this version does not know are counted, and an empty message is said to be set", () => {
  const unknown = Buffer.from([0xba, 0x3e, SECRET.length, ...Buffer.from(SECRET)]); // field 999, a text

  assert.equal(
    redacted(CreateSessionRequestSchema, fromBinary(CreateSessionRequestSchema, unknown)),
    ".: 1 unknown fields",
  );
  const empty = create(CreateSessionRequestSchema, { flow: { case: "storeOnly", value: {} } });
  assert.equal(redacted(CreateSessionRequestSchema, empty), "store_only: set, without a value");
});

test("what an Any holds is shown by its own type", () => {
  const answer = create(CreateSessionResponseSchema, { session: { token: SECRET } });
  const status = create(StatusSchema, {
    code: 3,
    details: [
      anyPack(CreateSessionResponseSchema, answer),
      { typeUrl: "type.googleapis.com/example.NotKnown", value: Buffer.from(SECRET) },
      { typeUrl: "type.googleapis.com/payorch.v1.CallOutcome", value: Uint8Array.of(0xff) },
    ],
  });

  assert.equal(
    redacted(StatusSchema, status),
    [
      "code: 3",
      "details[0](payorch.v1.CreateSessionResponse).session.token: [redacted]",
      "details[1]: <6 bytes of a type that is not known>",
      "details[2]: <1 bytes of a type that is not known>",
    ].join("\n"),
  );
});

/** Returns a message with every field below it set, the sensitive ones to the secret. */
function filled(schema, sensitive, seen = []) {
  const init = {};
  for (const field of schema.fields) {
    const marked = sensitive || (hasOption(field, sensitivity) && getOption(field, sensitivity) !== 0);
    const value = valueOf(field, marked, [...seen, schema.typeName]);
    if (value === undefined) continue;
    if (field.oneof) init[field.oneof.localName] = { case: field.localName, value };
    else init[field.localName] = value;
  }
  return init;
}

function valueOf(field, marked, seen) {
  const item = () => {
    if (field.message) return seen.includes(field.message.typeName) ? undefined : filled(field.message, marked, seen);
    if (field.enum) return field.enum.values.at(-1).number;
    const plain = marked ? SECRET : "shown";
    return { 9: plain, 12: Buffer.from(plain), 8: true, 3: 1n, 4: 1n, 5: 1, 13: 1, 1: 1.5, 2: 1.5 }[field.scalar];
  };
  const value = item();
  if (value === undefined) return undefined;
  return field.fieldKind === "list" ? [value] : field.fieldKind === "map" ? { key: value } : value;
}

for (const service of [PaymentOrchestrationService, DiagnosticsService, PaymentGatewayService]) {
  for (const schema of service.methods.flatMap(({ input, output }) => [input, output])) {
    test(`no sensitive field of ${schema.typeName} is shown`, () => {
      const message = create(schema, filled(schema, false));

      assert.ok(!redacted(schema, message).includes(SECRET));
    });
  }
}

test("the check above fills sensitive fields", () => {
  const message = create(CreatePaymentMethodRequestSchema, filled(CreatePaymentMethodRequestSchema, false));
  const bytes = JSON.stringify(message, (_name, value) => (typeof value === "bigint" ? String(value) : value));

  assert.ok(bytes.includes(SECRET));
  assert.ok(
    redacted(CreatePaymentMethodRequestSchema, message)
      .split("\n")
      .some((line) => line.endsWith("[redacted]")),
  );
});
