// What a Node.js engineer would write in a day: grpc-js in front of undici, spans of both to a collector over OTLP.
// It has neither intents, fingerprints, rights, audit, routing, retries, limits, checks of fields nor log lines.
// Arguments: a descriptor set, the upstream's URL, the collector's URL, and a JSON object of names; the port goes to
// standard output.
const { readFileSync } = require("node:fs");
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-grpc");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { GrpcInstrumentation } = require("@opentelemetry/instrumentation-grpc");
const { UndiciInstrumentation } = require("@opentelemetry/instrumentation-undici");

const [descriptorSet, upstream, collector, settings] = process.argv.slice(2);
const names = JSON.parse(settings);

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "node" }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: collector }))],
});
provider.register();
registerInstrumentations({ instrumentations: [new GrpcInstrumentation(), new UndiciInstrumentation()] });

// Loaded after their instrumentations, which wrap them.
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { Pool } = require("undici");

const CONNECTIONS = 1024;
const TIMEOUT_MS = 30_000;
const pool = new Pool(upstream, { connections: CONNECTIONS, bodyTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS });
const options = { keepCase: true, longs: Number, enums: String, defaults: false, oneofs: true };
const types = loader.loadFileDescriptorSetFromBuffer(readFileSync(descriptorSet), options);
let token = "";

const decimal = (money) => (money.units ?? 0) + (money.nanos ?? 0) / 1e9;

async function post(path, request, trackId, body) {
  const response = await pool.request({
    path,
    method: "POST",
    headers: {
      accept: "application/json",
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "idempotency-key": request.request_id,
      "zuora-entity-ids": names.entity_id,
      "zuora-track-id": trackId,
    },
    body: JSON.stringify(body),
  });
  const answer = await response.body.json();
  if (response.statusCode >= 300) {
    throw new Error(`status ${response.statusCode}`);
  }
  return { answer, call: { track_id: trackId, zuora_request_id: response.headers["zuora-request-id"] } };
}

async function createSession(request, trackId) {
  const flow = request.pay_and_store;
  const { answer, call } = await post("/web-payments/sessions", request, trackId, {
    currency: flow.amount.currency_code,
    amount: decimal(flow.amount),
    processPayment: true,
    storePaymentMethod: true,
    accountId: flow.account_id,
    paymentGateway: names.gateway_id,
    invoices: flow.invoices.map((invoice) => ({ invoiceNumber: invoice.invoice_number })),
  });
  return { session: { token: answer.token }, call };
}

async function decryptApplePay(request, trackId) {
  const { answer, call } = await post("/v1/payment-methods/decryption", request, trackId, {
    integrationType: "ApplePay",
    merchantID: request.merchant_id,
    paymentToken: JSON.parse(request.token_json.toString()).paymentData,
    processPayment: true,
    accountID: request.account_id,
    invoiceId: request.pay_invoice.invoice,
    paymentGateway: names.gateway_label,
  });
  return {
    payment_method_id: answer.paymentMethodId,
    payment_id: answer.paymentId,
    reported_amount: answer.amount,
    call,
  };
}

async function createPaymentMethod(request, trackId) {
  const debit = request.sepa_debit;
  const { answer, call } = await post("/v2/payment_methods", request, trackId, {
    type: "sepa_debit",
    account_id: request.account_by_id.id,
    gateway_id: names.gateway_id,
    sepa_debit: { IBAN: debit.iban, mandate: { id: debit.mandate.id } },
  });
  const { id, type, state, account_id } = answer;
  return { payment_method: { id, type, state, account_id }, call };
}

const unary = (method) => (call, callback) =>
  method(call.request, String(call.metadata.get("zuora-track-id")[0] ?? "")).then(
    (answer) => callback(null, answer),
    (error) => callback({ code: grpc.status.UNAVAILABLE, message: error.message }),
  );

async function main() {
  const granted = await pool.request({ path: "/oauth/token", method: "POST", body: "grant_type=client_credentials" });
  token = (await granted.body.json()).access_token;
  const server = new grpc.Server();
  server.addService(types["payorch.v1.PaymentOrchestrationService"], {
    CreateSession: unary(createSession),
    DecryptApplePay: unary(decryptApplePay),
    CreatePaymentMethod: unary(createPaymentMethod),
  });
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) {
      throw error;
    }
    console.log(port);
  });
  process.stdin.on("end", () => process.exit(0)).resume();
}

main();
