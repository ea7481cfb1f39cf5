// Pays an invoice with Apple Pay at the emulator, whose first answer is lost; the second send must not pay again.
//
//   zuora-emulator serve &
//   node pay.mjs http://127.0.0.1:9080
//
// This is not Zuora: the client is published, and the token comes from the emulator. Node 18 or newer; no packages.
import { randomUUID } from "node:crypto";

const baseUrl = process.argv[2];

async function call(path, options = {}) {
  const answer = await fetch(baseUrl + path, options);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const post = (path, body, headers = {}) =>
  call(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } });

const { access_token: accessToken } = await call("/oauth/token", {
  method: "POST",
  body: new URLSearchParams({
    client_id: "emulator-client-a-000000000000000001",
    client_secret: "emulator-secret-a",
    grant_type: "client_credentials",
  }),
});
const { token } = await post("/_emulator/apple-pay-tokens", { amount: "42.50", currency: "USD" });
const payment = {
  integrationType: "ApplePay",
  merchantID: "merchant.example.payorch",
  paymentToken: token,
  processPayment: true,
  accountID: "2c92c0f8000000000000000000000001",
  invoiceId: "INV00000002",
  paymentGateway: "Emulator Cards US",
};
const headers = {
  authorization: `Bearer ${accessToken}`,
  "zuora-entity-ids": "11111111-1111-4111-8111-111111111111",
  "zuora-track-id": "order-4711",
  "zuora-version": "2025-08-12",
  "idempotency-key": randomUUID(),
};

await post("/_emulator/faults", { fault: "decryption:drop_after" });
try {
  await post("/v1/payment-methods/decryption", payment, headers);
} catch (problem) {
  if (!(problem instanceof TypeError)) throw problem; // fetch's own error: no answer
  console.log("no answer, so the same request is sent again with the same key");
}
const answer = await post("/v1/payment-methods/decryption", payment, headers);

const { entries } = await call("/_emulator/ledger?track_id=order-4711");
console.log(`payment ${answer.paymentId}; executed ${entries.length} time(s)`);
