import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { callErrorOf } from "@payorch/client";
import { Advice, CallOutcomeSchema, Outcome } from "@payorch/client/v1";
import { payorchErrorOf } from "../dist/errors.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../dist/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../dist/gen/google/rpc/status_pb.js";

function thrown(packed) {
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(packed));
  return Object.assign(new Error("14 UNAVAILABLE: no"), { code: status.UNAVAILABLE, details: "no", metadata });
}

function failure(...details) {
  const packed = details.map(([schema, value]) => anyPack(schema, create(schema, value)));
  return thrown(toBinary(StatusSchema, create(StatusSchema, { details: packed })));
}

const spoiled = create(StatusSchema, {
  details: [{ typeUrl: "type.googleapis.com/payorch.v1.CallOutcome", value: Uint8Array.of(0xff) }],
});

for (const [reason, error] of [
  ["no error of grpc-js", new Error("broken pipe")],
  ["an error of Node.js", Object.assign(new Error("refused"), { code: "ECONNREFUSED" })],
  ["nothing at all", undefined],
  ["no details", failure()],
  ["details that are no status", thrown([0xff])],
  ["a detail that is cut", thrown(toBinary(StatusSchema, spoiled))],
  ["nothing stated", failure([CallOutcomeSchema, {}])],
  ["values of a later contract", failure([CallOutcomeSchema, { outcome: 99, advice: 99 }])],
]) {
  test(`an unknown outcome is read in ${reason}`, () => {
    const told = callErrorOf(error);

    assert.deepEqual([told.outcome, told.advice], [Outcome.UNKNOWN, Advice.RESEND_SAME_REQUEST_ID]);
    assert.equal(typeof told.code, "number");
  });
}

test("every detail is read", () => {
  const resendBeforeTime = new Date("2026-01-02T03:04:05Z");
  const told = callErrorOf(
    failure(
      [ErrorInfoSchema, { domain: "payorch", reason: "OVERLOADED", metadata: { tenant: "acme" } }],
      [RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 500_000_000 } }],
      [
        BadRequestSchema,
        { fieldViolations: [{ field: "request_id", reason: "REQUEST_ID", description: "too short" }] },
      ],
      [
        CallOutcomeSchema,
        {
          outcome: Outcome.NOT_SENT,
          advice: Advice.FIX_REQUEST,
          trackId: "order-4711",
          zuoraCodes: ["53200020"],
          resendBeforeTime: timestampFromDate(resendBeforeTime),
        },
      ],
    ),
  );

  const { callOutcome, ...plain } = told;
  assert.equal(callOutcome?.trackId, "order-4711");
  assert.deepEqual(plain, {
    code: status.UNAVAILABLE,
    message: "no",
    reason: "OVERLOADED",
    outcome: Outcome.NOT_SENT,
    advice: Advice.FIX_REQUEST,
    trackId: "order-4711",
    violations: [{ field: "request_id", rule: "REQUEST_ID", description: "too short" }],
    metadata: { tenant: "acme" },
    retryDelayMs: 1500,
    zuoraCodes: ["53200020"],
    resendBeforeTime,
    hint: "",
  });
});

test("a reason of another domain is not ours", () => {
  const told = callErrorOf(failure([ErrorInfoSchema, { domain: "proxy.example", reason: "INTERNAL" }]));

  assert.equal(told.reason, "");
});

test("an error that claims a success says nothing certain", () => {
  const told = callErrorOf(failure([CallOutcomeSchema, { outcome: Outcome.SUCCEEDED, advice: Advice.NONE }]));

  assert.equal(told.outcome, Outcome.UNKNOWN);
});

test("a time that does not exist limits nothing", () => {
  const told = callErrorOf(failure([CallOutcomeSchema, { resendBeforeTime: { seconds: 2n ** 62n, nanos: 0 } }]));

  assert.equal(told.resendBeforeTime, undefined);
});

test("the text of an error says nothing twice", () => {
  const fieldViolations = ["a", "b"].map((field) => ({ field, reason: "R", description: "must hold" }));
  const refused = failure([BadRequestSchema, { fieldViolations }]);
  const error = callErrorOf(Object.assign(refused, { details: "It breaks rules. a: must hold" }));
  const { message } = payorchErrorOf({ error, requestId: "r", attempts: [error], errorsUrl: "errors.md" });

  assert.ok(message.startsWith("UNAVAILABLE: It breaks rules. a: must hold [b: must hold] (outcome"), message);
});

test("the text of an error leaves out the first violation alone, and where it ends the message", () => {
  const fieldViolations = ["a", "b"].map((field) => ({ field, reason: "R", description: "must hold" }));
  for (const details of ["a: must hold, it says", "It breaks rules. b: must hold", "rules.a: must hold"]) {
    const error = callErrorOf(Object.assign(failure([BadRequestSchema, { fieldViolations }]), { details }));
    const { message } = payorchErrorOf({ error, requestId: "r", attempts: [error], errorsUrl: "errors.md" });

    assert.ok(message.startsWith(`UNAVAILABLE: ${details} [a: must hold; b: must hold] (outcome`), message);
  }
});
