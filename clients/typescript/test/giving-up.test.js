// A caller gives a call up by its signal, or closes the client.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerCredentials, status } from "@grpc/grpc-js";
import { ArgumentError, connect, NotSentError, OutcomeUnknownError } from "@payorch/client";
import { rejection, serving, started } from "./servers.js";

const SESSION = { flow: { case: "storeOnly", value: {} } };
const REASON = new RangeError("the payer left");

/** Starts a service whose answer the test holds back. */
async function holding(context, options = {}) {
  let received;
  const reached = new Promise((resolve) => {
    received = resolve;
  });
  const target = await serving(context, ServerCredentials.createInsecure(), (_call, respond) => received(respond));
  const client = connect(target, { plaintext: true, ...options });
  context.after(() => client.close());
  return { client, reached };
}

test("a call that is given up before it is sent was not sent", async (context) => {
  const payorch = await started(context);
  const error = await rejection(payorch.connect().createSession(SESSION, { signal: AbortSignal.abort(REASON) }));

  assert.ok(error instanceof NotSentError);
  assert.deepEqual([error.cause, error.code], [REASON, status.CANCELLED]);
  assert.deepEqual(payorch.calls, []);
});

test("a call that is given up while its token is fetched was not sent", async (context) => {
  const payorch = await started(context);
  const giving = new AbortController();
  const token = () => new Promise(() => giving.abort(REASON));
  const error = await rejection(payorch.connect({ token }).createSession(SESSION, { signal: giving.signal }));

  assert.ok(error instanceof NotSentError);
  assert.equal(error.cause, REASON);
});

test("a call that is given up once it is sent may have been executed", async (context) => {
  const { client, reached } = await holding(context);
  const giving = new AbortController();
  const failing = rejection(client.createSession(SESSION, { signal: giving.signal }));
  await reached;
  giving.abort(REASON);
  const error = await failing;

  assert.ok(error instanceof OutcomeUnknownError);
  assert.deepEqual([error.cause, error.attempts.length], [REASON, 1]);
});

test("a call that is given up between two attempts keeps what is known of the first", async (context) => {
  const payorch = await started(context);
  const giving = new AbortController();
  const logger = { info: () => giving.abort(REASON), warn: assert.fail };
  payorch.failWithoutDetails(status.UNAVAILABLE);
  const error = await rejection(payorch.connect({ logger }).createSession(SESSION, { signal: giving.signal }));

  assert.ok(error instanceof OutcomeUnknownError);
  assert.deepEqual([error.cause, error.attempts.length, payorch.calls.length], [REASON, 1, 1]);
});

test("a signal that many calls share keeps no listener of theirs", async (context) => {
  const payorch = await started(context);
  const { signal } = new AbortController();
  const kept = new Set();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (type, listener) => {
    kept.add(listener);
    add(type, listener);
  };
  signal.removeEventListener = (type, listener) => {
    kept.delete(listener);
    remove(type, listener);
  };
  const client = payorch.connect({ token: () => "token" });
  payorch.failWith("OVERLOADED");
  await client.createSession(SESSION, { signal });

  assert.equal(kept.size, 0);
});

test("an attempt in progress outlives the end of its client", async (context) => {
  const { client, reached } = await holding(context);
  const answering = client.createSession(SESSION);
  const respond = await reached;
  client.close();
  respond(null, {});

  assert.ok((await answering).call.requestId);
});

test("no attempt follows the end of its client", async (context) => {
  const { client, reached } = await holding(context);
  const failing = rejection(client.createSession(SESSION));
  const respond = await reached;
  client.close();
  respond({ code: status.UNAVAILABLE, details: "no healthy upstream" });
  const error = await failing;

  assert.ok(error instanceof OutcomeUnknownError);
  assert.equal(error.attempts.length, 1);
});

test("a client that is closed refuses calls", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  client[Symbol.dispose]();
  client.close();

  assert.deepEqual(await rejection(client.createSession(SESSION)), new ArgumentError("client: it is closed"));
});

test("a client that is closed while it connects has sent nothing", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  const failing = rejection(client.createSession(SESSION));
  client.close();

  assert.ok((await failing) instanceof NotSentError);
  assert.deepEqual(payorch.calls, []);
});

for (const [name, leave] of [
  ["given up before", (_client, giving) => giving.abort(REASON)],
  ["given up during", (_client, giving) => setImmediate(() => giving.abort(REASON))],
  ["closed before", (client) => client.close()],
  ["closed during", (client) => setImmediate(() => client.close())],
]) {
  test(`a call that is ${name} its wait ends at once`, async (context) => {
    const payorch = await started(context);
    payorch.failWith("OVERLOADED", { retryAfterMs: 60_000 });
    const giving = new AbortController();
    const logger = { info: () => leave(client, giving), warn: assert.fail };
    const client = connect(payorch.target, { plaintext: true, logger });
    const error = await rejection(client.createSession(SESSION, { signal: giving.signal, deadlineMs: 120_000 }));

    assert.deepEqual([error.reason, error.attempts.length, payorch.calls.length], ["OVERLOADED", 1, 1]);
  });
}
