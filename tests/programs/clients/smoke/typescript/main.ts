// Makes one call of each RPC with the TypeScript client and prints what it reads in the answers.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { connect, PayorchError, type CallSettings, type Client } from "@payorch/client";
import { AdviceSchema, IntentStateSchema, Operation, OutcomeSchema, ReplaySchema } from "@payorch/client/v1";

const ACCOUNT = "2c92c0f8000000000000000000000001";
const TIMEOUT_MS = 30_000;

function print(step: string, facts: object = {}): void {
  console.log(JSON.stringify({ step, ...facts }));
}

// The name of an enum's value as the contract has it.
function nameOf(schema: { readonly value: Record<number, { readonly name: string }> }, value: number | undefined): string {
  return schema.value[value ?? 0]?.name ?? String(value);
}

function settings(trackId: string): CallSettings {
  return { deadlineMs: TIMEOUT_MS, trackId };
}

function createSession(client: Client, requestId: string, accountId: string, trackId: string) {
  const amount = { currencyCode: "USD", units: 100n, nanos: 100_000_000 };
  const request = { requestId, flow: { case: "oneTimePayment" as const, value: { accountId, amount } } };
  return client.createSession(request, settings(trackId));
}

async function session(client: Client, requestId: string): Promise<void> {
  const answer = await createSession(client, requestId, ACCOUNT, "smoke-typescript-session");
  print("session", {
    track_id: answer.call?.trackId,
    replayed: nameOf(ReplaySchema, answer.call?.replayed),
    token_length: answer.session?.token.length,
  });
}

async function applePay(client: Client, tokenJson: Uint8Array): Promise<void> {
  const answer = await client.decryptApplePay(
    {
      requestId: randomUUID(),
      tokenJson,
      merchantId: "merchant.example.payorch",
      accountId: ACCOUNT,
      storedCredential: { case: "zuoraDefault", value: {} },
      charge: { case: "payInvoice", value: { invoice: "INV00000001" } },
      expectedAmount: { currencyCode: "USD", units: 12n, nanos: 340_000_000 },
    },
    settings("smoke-typescript-apple-pay"),
  );
  print("apple_pay", {
    track_id: answer.call?.trackId,
    payment_method_id: answer.paymentMethodId,
    payment_id: answer.paymentId,
  });
}

async function method(client: Client): Promise<void> {
  const answer = await client.createPaymentMethod(
    {
      requestId: randomUUID(),
      account: { case: "accountByNumber", value: { number: "A00000001" } },
      method: { case: "sepaDebit", value: { iban: "DE89370400440532013000", mandate: { id: "mandate-1" } } },
    },
    settings("smoke-typescript-method"),
  );
  print("method", { track_id: answer.call?.trackId, payment_method_id: answer.paymentMethod?.id });
}

async function intent(client: Client, requestId: string): Promise<void> {
  const request = { requestId, operation: Operation.CREATE_SESSION };
  const answer = await client.getIntent(request, { deadlineMs: TIMEOUT_MS });
  print("intent", { state: nameOf(IntentStateSchema, answer.intentState) });
}

async function error(client: Client): Promise<void> {
  const failed: unknown = await createSession(client, randomUUID(), "unknown", "smoke-typescript-error").then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(failed instanceof PayorchError)) {
    throw new Error(`no error of payorch for an account that does not exist: ${failed}`);
  }
  print("error", {
    code: failed.code,
    reason: failed.reason,
    outcome: nameOf(OutcomeSchema, failed.outcome),
    advice: nameOf(AdviceSchema, failed.advice),
    track_id: failed.trackId,
    zuora_codes: failed.zuoraCodes,
  });
}

async function retry(client: Client): Promise<void> {
  const answer = await createSession(client, randomUUID(), ACCOUNT, "smoke-typescript-retry");
  print("retry", { track_id: answer.call?.trackId, token_length: answer.session?.token.length });
}

async function line(): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  const { done } = await lines[Symbol.asyncIterator]().next();
  lines.close();
  if (done) {
    throw new Error("standard input ended before its line");
  }
}

async function main(): Promise<void> {
  const [target, tokenFile] = process.argv.slice(2);
  if (target === undefined || tokenFile === undefined) {
    throw new Error("usage: main.js TARGET TOKEN_FILE");
  }
  const client = connect(target, { plaintext: true, resend: false }); // so that grpc-js retries by the service config
  const requestId = randomUUID();
  try {
    await session(client, requestId);
    await applePay(client, readFileSync(tokenFile));
    await method(client);
    await intent(client, requestId);
    await error(client);
    print("ready");
    await line();
    await retry(client);
  } finally {
    client.close();
  }
}

main().catch((reason: unknown) => {
  console.error(reason instanceof Error ? reason.message : reason);
  process.exitCode = 1;
});
