/**
 * A payment gateway for payorch's hub, with a provider that is only a file: `node gateway.js ADDRESS LEDGER`.
 *
 * It approves all tokens but tok_decline; the answer for tok_slow takes three seconds after the charge.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { create, fromBinary, fromJson, toBinary, toJson, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import {
  DescribeGatewayResponseSchema,
  GatewayOperation,
  GatewayOutcomeSchema,
  GatewayResult,
  PaymentGatewayService,
  type GatewayCall,
  type GatewayOutcome,
  type LookUpRequest,
  type ProcessPaymentRequest,
  type ProcessRefundRequest,
  type ValidatePaymentMethodRequest,
} from "@payorch/client/v1";

type Record = { key: string; asked: string; paidKey: string; moved: string; outcome: object };
const [address = "", path = ""] = process.argv.slice(2);
const records = new Map<string, Record>();
for (const line of existsSync(path) ? readFileSync(path, "utf8").split("\n") : []) {
  try {
    const known = JSON.parse(line) as Record;
    records.set(known.key, known);
  } catch {} // an empty line, or a last one that was cut off and never answered
}
const ledger = openSync(path, "a");

/** Amounts are counted in billionths, which is exact. */
function billionths(text: string): bigint {
  const [units = "", decimals = ""] = text.split(".");
  return BigInt(units + decimals.padEnd(9, "0"));
}

/** Executes a call under a key that is new, and otherwise answers as before. Until `pause` nothing else runs. */
async function once(call: GatewayCall | undefined, asked: string, paidKey: string, amount: bigint): Promise<GatewayOutcome> {
  const { idempotencyKey: key = "", method } = call ?? {};
  const token = method?.tokenData["AmazonToken"]?.value.value;
  const known = records.get(key);
  if (known !== undefined) {
    if (known.asked !== `${asked} ${amount}`) throw { code: status.INVALID_ARGUMENT, details: "The key was used before." };
    return fromJson(GatewayOutcomeSchema, known.outcome as {});
  }
  // A real provider is called here, with the key. Record the key first, as begun.
  const declined = token === "tok_decline" || left(paidKey) + amount < 0n;
  const outcome = create(GatewayOutcomeSchema, {
    result: declined ? GatewayResult.DECLINED : GatewayResult.APPROVED,
    code: declined ? "declined" : "approved",
    message: declined ? "The provider declined it." : "",
    transactionId: `T-${key}`,
  });
  const moved = declined ? "0" : String(amount);
  const made = { key, asked: `${asked} ${amount}`, paidKey, moved, outcome: toJson(GatewayOutcomeSchema, outcome) as {} };
  writeSync(ledger, `\n${JSON.stringify(made)}`); // the line end also ends a line that a crash cut off
  fsyncSync(ledger);
  records.set(key, made);
  if (token === "tok_slow") await pause(3000);
  return outcome;
}

function left(paidKey: string): bigint {
  return [...records.values()].filter((known) => known.paidKey === paidKey).reduce((sum, known) => sum + BigInt(known.moved), 0n);
}

const handlers = {
  describeGateway: async (): Promise<MessageInitShape<typeof DescribeGatewayResponseSchema>> => ({
    name: "example-typescript",
    version: "1",
    operations: [GatewayOperation.VALIDATE, GatewayOperation.PAYMENT, GatewayOperation.REFUND],
    looksUp: true,
    idempotentFor: create(DurationSchema, { seconds: 400n * 24n * 3600n }), // nothing is ever deleted
  }),
  validatePaymentMethod: async ({ call }: ValidatePaymentMethodRequest) => ({ outcome: await once(call, "validate", "", 0n) }),
  processPayment: async ({ call, amount }: ProcessPaymentRequest) => {
    const moved = (amount?.units ?? 0n) * 1_000_000_000n + BigInt(amount?.nanos ?? 0);
    return { outcome: await once(call, `pay ${amount?.currencyCode}`, call?.idempotencyKey ?? "", moved) };
  },
  processRefund: async ({ call, amount, paymentIdempotencyKey: key }: ProcessRefundRequest) => ({
    outcome: await once(call, `refund ${key}`, key, -billionths(amount)),
  }),
  lookUp: async ({ idempotencyKey }: LookUpRequest) => {
    const known = records.get(idempotencyKey);
    return known ? { outcome: fromJson(GatewayOutcomeSchema, known.outcome as {}) } : {};
  },
};

/** Turns a handler into one of grpc-js; an exception becomes a gRPC error, which says that the outcome is not known. */
const unary = (handle: (request: any) => Promise<object>) => (call: ServerUnaryCall<any, any>, answer: sendUnaryData<object>) =>
  handle(call.request).then((value) => answer(null, value), answer);

const server = new Server();
for (const method of PaymentGatewayService.methods) {
  const definition = {
    path: `/${PaymentGatewayService.typeName}/${method.name}`,
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: (value: any) => Buffer.from(toBinary(method.input, value)),
    requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
    responseSerialize: (value: any) => Buffer.from(toBinary(method.output, create(method.output, value))),
    responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
  };
  server.addService({ [method.localName]: definition }, { [method.localName]: unary(handlers[method.localName as keyof typeof handlers]) });
}
// grpc.health.v1.Health/Check, whose answer SERVING is field 1 with the value 1.
const asIs = (bytes: Buffer) => bytes;
const forms = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
const check = { path: "/grpc.health.v1.Health/Check", requestStream: false as const, responseStream: false as const, ...forms };
server.addService({ check }, { check: unary(async () => Buffer.from([8, 1])) });
server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
process.on("exit", () => closeSync(ledger));
