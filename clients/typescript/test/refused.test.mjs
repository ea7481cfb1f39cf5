import assert from "node:assert/strict";
import { test } from "node:test";
import { NotSentError } from "@payorch/client";
import { FakePayorch } from "@payorch/client/testing";

test("a refused payment names the field", async (context) => {
  const payorch = await FakePayorch.start();
  context.after(() => payorch.stop());
  payorch.failWith("REQUEST_INVALID", { violations: { "pay_invoice.invoice": "must not be empty" } });
  const requestId = "order-4711-attempt-1";
  const paying = payorch.connect().decryptApplePay({ requestId, charge: { case: "payInvoice", value: {} } });
  await assert.rejects(paying, (error) => {
    return error instanceof NotSentError && error.violations[0]?.field === "pay_invoice.invoice";
  });
  assert.deepEqual(payorch.executed, []);
});
