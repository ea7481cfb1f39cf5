// The double of the service answers as the service does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ArgumentError, connectDiagnostics, PayorchError, status } from "@payorch/client";
import { catalogue, FakePayorch } from "@payorch/client/testing";
import {
  Advice,
  CreateSessionRequestSchema,
  ErrorReason,
  IntentState,
  Operation,
  Outcome,
  Replay,
} from "@payorch/client/v1";

const ID = "order-4711-attempt-1";
const SESSION = { requestId: ID, flow: { case: "oneTimePayment", value: { accountId: "a" } } };
const PAYMENT = {
  requestId: ID,
  tokenJson: Buffer.from("{}"),
  storedCredential: { case: "zuoraDefault", value: {} },
  charge: { case: "payInvoice", value: { invoice: "INV1" } },
};
const METHOD = { requestId: ID, account: { case: "noAccount", value: {} }, method: { case: "other", value: {} } };
const CALLS = { CreateSession: ["createSession", SESSION], DecryptApplePay: ["decryptApplePay", PAYMENT] };

async function started(context) {
  const payorch = await FakePayorch.start();
  context.after(() => payorch.stop());
  return payorch;
}

/** Returns the error that a call rejects with. */
async function failure(call) {
  const error = await call.then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.ok(error instanceof PayorchError, `${error}`);
  return error;
}

test("the catalogue is a copy of the published one and has every reason of the contract", () => {
  const names = Object.keys(ErrorReason).filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED");

  assert.deepEqual(catalogue(), JSON.parse(readFileSync(new URL("../../reasons.json", import.meta.url), "utf8")));
  assert.deepEqual(Object.keys(catalogue()).sort(), names.sort());
});

for (const [reason, entry] of Object.entries(catalogue())) {
  for (const [rpc, [method, request]] of Object.entries(CALLS)) {
    test(`${rpc} fails with ${reason} as the catalogue says`, async (context) => {
      const payorch = await started(context);
      payorch.failWith(reason);
      const error = await failure(payorch.connect({ resend: { attempts: 1 } })[method](request));

      const advice = entry.adviceByRpc?.[rpc] ?? entry.advice;
      assert.deepEqual(
        [error.reason, status[error.code], error.details, Outcome[error.outcome], Advice[error.advice]],
        [reason, entry.code, entry.message, entry.outcome, advice],
      );
      assert.deepEqual(Object.keys(error.metadata), entry.metadata ?? []);
      assert.equal(error.retryDelayMs, entry.retryDelaySeconds && entry.retryDelaySeconds * 1_000);
      assert.equal(error.violations.length, entry.namesFields ? 1 : 0);
      assert.equal(error.trackId, payorch.calls[0].trackId);
      assert.deepEqual(payorch.executed, []);
    });
  }
}

test("everything of an error can be chosen", async (context) => {
  const payorch = await started(context);
  payorch.failWith("PAYMENT_REFUSED_METHOD_CREATED", {
    violations: { "pay_invoice.invoice": "must not be empty" },
    metadata: { extra: "1" },
    retryAfterMs: 1_500,
    zuoraCodes: ["53200020"],
    existing: { paymentMethodId: "m1" },
  });
  const error = await failure(payorch.connect().decryptApplePay(PAYMENT));

  assert.equal(error.name, "PartialError");
  assert.deepEqual(
    error.violations.map(({ field }) => field),
    ["pay_invoice.invoice"],
  );
  assert.equal(error.metadata.extra, "1");
  assert.equal(error.retryDelayMs, 1_500);
  assert.deepEqual(error.zuoraCodes, ["53200020"]);
  assert.equal(error.callOutcome.existing.paymentMethodId, "m1");
});

test("a reason that there is not is refused with those that are near", async (context) => {
  const payorch = await started(context);

  assert.throws(
    () => payorch.failWith("PAYMENT_DECLINE"),
    (error) => {
      return (
        error instanceof ArgumentError &&
        error.message.startsWith('reason: "PAYMENT_DECLINE" is none; did you mean PAYMENT_DECLINED')
      );
    },
  );
  assert.throws(() => payorch.failWith(""), new ArgumentError('reason: "" is none'));
  assert.throws(
    () => payorch.failWith("OVERLOADED", { executed: true }),
    new ArgumentError("executed: OVERLOADED says that the request was not executed"),
  );
});

test("the same request is executed once and then answered from the record", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  const first = await client.decryptApplePay(PAYMENT);
  const second = await client.decryptApplePay(PAYMENT);

  assert.deepEqual([first.call.replayed, second.call.replayed], [Replay.NO, Replay.YES]);
  assert.deepEqual([first.paymentId, second.paymentId], ["fake-payment-1", "fake-payment-1"]);
  assert.equal(first.call.requestId, ID);
  assert.notEqual(second.call.trackId, first.call.trackId);
  assert.deepEqual(
    payorch.executed.map(({ requestId }) => requestId),
    [ID],
  );
});

test("the same id names another intent in another RPC", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  await client.createSession(SESSION);
  await client.createPaymentMethod(METHOD);

  assert.deepEqual(
    payorch.executed.map(({ rpc }) => rpc),
    ["CreateSession", "CreatePaymentMethod"],
  );
});

test("another request under a used id is a mismatch that names what differs", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  await client.createSession(SESSION);
  const error = await failure(client.createSession({ ...SESSION, flow: { case: "storeOnly", value: {} } }));

  assert.equal(error.reason, "INTENT_MISMATCH");
  assert.deepEqual(
    error.violations.map(({ field }) => field),
    ["store_only", "one_time_payment"],
  );
});

test("options in another order are no mismatch", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  await client.createSession({ ...SESSION, gatewayOptions: { a: "1", b: "2" } });
  const again = await client.createSession({ ...SESSION, gatewayOptions: { b: "2", a: "1" } });

  assert.equal(again.call.replayed, Replay.YES);
});

for (const [reason, settles] of [
  ["PAYMENT_DECLINED", true],
  ["PAYMENT_REFUSED_METHOD_CREATED", true],
  ["UPSTREAM_GATEWAY_FAILED", true],
  ["OVERLOADED", false],
  ["UPSTREAM_NO_ANSWER", false],
]) {
  test(`${reason} ${settles ? "settles" : "does not settle"} an intent`, async (context) => {
    const payorch = await started(context);
    const client = payorch.connect({ resend: { attempts: 1 } });
    payorch.failWith(reason);
    await failure(client.decryptApplePay(PAYMENT));
    const second = await client.decryptApplePay(PAYMENT).then(
      () => "",
      (error) => error.reason,
    );

    assert.equal(second, settles ? reason : "");
  });
}

test("an answer that is lost is found by a resend", async (context) => {
  const payorch = await started(context);
  payorch.failWith("UPSTREAM_NO_ANSWER", { executed: true });
  const answer = await payorch.connect().createSession(SESSION);

  assert.equal(answer.call.replayed, Replay.YES);
  assert.deepEqual(
    payorch.calls.map(({ reason, executed }) => [reason, executed]),
    [
      ["UPSTREAM_NO_ANSWER", true],
      ["", false],
    ],
  );
});

test("an error of a proxy has no details", async (context) => {
  const payorch = await started(context);
  payorch.failWithoutDetails(status.UNAVAILABLE, { message: "no healthy upstream", times: 2, rpc: "DecryptApplePay" });
  const client = payorch.connect({ resend: { attempts: 2 } });
  await client.createSession(SESSION);
  const error = await failure(client.decryptApplePay(PAYMENT));

  assert.deepEqual([error.name, error.reason, error.attempts.length], ["OutcomeUnknownError", "", 2]);
});

test("a request that breaks a rule is refused", async (context) => {
  const payorch = await started(context);
  const error = await failure(payorch.connect().createSession({ requestId: "short" }));

  assert.equal(error.reason, "REQUEST_INVALID");
  assert.deepEqual(
    error.violations.map(({ field }) => field),
    ["request_id", "flow"],
  );
});

test("a check executes nothing", async (context) => {
  const payorch = await started(context);
  const answer = await payorch.connect().createPaymentMethod({ ...METHOD, validateOnly: true });

  assert.equal(answer.upstreamRequest.method, "POST");
  assert.equal(answer.paymentMethod, undefined);
  assert.deepEqual(payorch.executed, []);
});

test("GetIntent answers from the records", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  payorch.failWith("PAYMENT_DECLINED", { rpc: "DecryptApplePay" });
  await client.createSession(SESSION);
  await failure(client.decryptApplePay(PAYMENT));
  const asked = (operation) => client.getIntent({ requestId: ID, operation });
  const [session, payment, method] = await Promise.all(
    [Operation.CREATE_SESSION, Operation.DECRYPT_APPLE_PAY, Operation.CREATE_PAYMENT_METHOD].map(asked),
  );

  assert.equal(session.callOutcome.outcome, Outcome.SUCCEEDED);
  assert.equal(payment.callOutcome.outcome, Outcome.REFUSED);
  assert.equal(method.intentState, IntentState.NOT_FOUND);
});

test("calls are recorded with what came along", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect({ token: () => "secret-token" });
  await client.createSession(create(CreateSessionRequestSchema, SESSION), { trackId: "ticket-1" });
  const [call] = payorch.calls;

  assert.deepEqual(
    [call.rpc, call.requestId, call.trackId, call.token],
    ["CreateSession", ID, "ticket-1", "secret-token"],
  );
  assert.equal(call.request.flow.value.accountId, "a");
  assert.match(call.metadata["user-agent"], /^payorch-typescript\/\d+\.\d+\.\d+ grpc-node-js\//);
});

test("the listener for operators is there too", async (context) => {
  const payorch = await started(context);
  const client = connectDiagnostics(payorch.target, { plaintext: true });
  context.after(() => client.close());
  await client.getQuota({ tenant: "acme" });
  await client.getCall({ trackId: "ticket-1" });
  await client.explainRoute({});

  assert.deepEqual(
    payorch.calls.map(({ rpc }) => rpc),
    ["GetQuota", "GetCall", "ExplainRoute"],
  );
});
