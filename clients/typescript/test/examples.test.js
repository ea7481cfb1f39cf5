// The examples run, and say what happened.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { started, written } from "./servers.js";

// Newer versions of Node.js run TypeScript as it is.
const FILE = process.features.typescript ? "pay-invoice.mts" : "dist/pay-invoice.mjs";
const PROGRAM = fileURLToPath(new URL(`../examples/${FILE}`, import.meta.url));

/** Runs the example; returns its status and what it shows the payer. */
function paying(payorch, token) {
  const command = [PROGRAM, payorch.target, "order-4711-attempt-1", "INV1", token];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, output) => resolve([error?.code ?? 0, output.trim()]));
  });
}

test("the example pays once, and again finds it paid", async (context) => {
  const payorch = await started(context);
  const { token } = written(context, { token: '{"data": "x"}' });
  await paying(payorch, token);

  assert.deepEqual(await paying(payorch, token), [0, "You have paid: fake-payment-1"]);
  assert.equal(payorch.executed.length, 1);
});

for (const [reason, shown] of [
  ["PAYMENT_DECLINED", "Your payment was declined."],
  ["UPSTREAM_GATEWAY_FAILED", "We do not know yet whether you have paid. Please do not pay again."],
  ["PAYMENT_REFUSED_METHOD_CREATED", "Your card is stored, but it was not charged."],
  ["CALLER_NOT_PERMITTED", "You have not paid. Please try again later."],
]) {
  test(`the example says what ${reason} means`, async (context) => {
    const payorch = await started(context);
    payorch.failWith(reason);
    const { token } = written(context, { token: '{"data": "x"}' });

    assert.deepEqual(await paying(payorch, token), [1, shown]);
  });
}
