// Makes calls with grpc-js and prints what their errors carry, read with proto-loader.
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const TIMEOUT_MS = 30_000;
const [planFile, descriptorSet] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(planFile, "utf8"));
const types = loader.loadFileDescriptorSetFromBuffer(readFileSync(descriptorSet), {
  keepCase: true,
  enums: String,
  defaults: true,
});

// The status's detail of a type; an empty one if it has none.
function detail(status, type) {
  const packed = status.details.find((one) => one.type_url === `type.googleapis.com/${type}`);
  return types[type].deserialize(packed ? packed.value : Buffer.alloc(0));
}

function trailers(metadata) {
  const text = (value) => (Buffer.isBuffer(value) ? value.toString("base64") : value);
  return Object.fromEntries(Object.keys(metadata.getMap()).map((key) => [key, metadata.get(key).map(text)]));
}

function told(error) {
  const packed = error.metadata.get("grpc-status-details-bin")[0] ?? Buffer.alloc(0);
  const status = types["google.rpc.Status"].deserialize(packed);
  const info = detail(status, "google.rpc.ErrorInfo");
  const outcome = detail(status, "payorch.v1.CallOutcome");
  const bad = detail(status, "google.rpc.BadRequest");
  return {
    code: error.code,
    message: error.details,
    reason: info.reason,
    // A map that comes from a descriptor set is a list of its entries here.
    metadata: Object.fromEntries(info.metadata.map(({ key, value }) => [key, value])),
    outcome: outcome.outcome,
    advice: outcome.advice,
    track_id: outcome.track_id,
    zuora_codes: outcome.zuora_codes,
    zuora_process_id: outcome.zuora_process_id,
    zuora_request_id: outcome.zuora_request_id,
    attempts: outcome.attempts.map((one) => [one.ordinal, one.http_status, one.zuora_request_id]),
    existing: [outcome.existing?.payment_method_id ?? "", outcome.existing?.payment_id ?? ""],
    violations: bad.field_violations.map((one) => [one.field, one.reason, one.description]),
    trailers: trailers(error.metadata),
  };
}

function answer(client, call) {
  const metadata = new grpc.Metadata();
  metadata.set("zuora-track-id", call.track_id);
  const options = { deadline: Date.now() + TIMEOUT_MS };
  const asIs = (bytes) => bytes;
  return new Promise((resolve) => {
    const request = Buffer.from(call.request, "base64");
    client.makeUnaryRequest(call.method, asIs, asIs, request, metadata, options, (error) =>
      resolve(error ? told(error) : { code: 0 }),
    );
  });
}

const client = new grpc.Client(plan.target, grpc.credentials.createInsecure());
const answers = [];
for (const call of plan.calls) {
  answers.push(await answer(client, call));
}
client.close();
console.log(JSON.stringify(answers));
