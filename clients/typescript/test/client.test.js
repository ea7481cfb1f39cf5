// What a client does with a call, against the double of the service.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { InterceptingCall, ServerCredentials, status } from "@grpc/grpc-js";
import {
  ArgumentError,
  connect,
  newRequestId,
  NotSentError,
  OutcomeUnknownError,
  PayorchError,
  RefusedError,
} from "@payorch/client";
import {
  CreatePaymentMethodRequestSchema,
  CreateSessionRequestSchema,
  CreateSessionResponseSchema,
  DecryptApplePayRequestSchema,
  PaymentOrchestrationService,
} from "@payorch/client/v1";
import { refusedTarget, rejection, serving, started } from "./servers.js";

const ID = "order-4711-attempt-1";
const SESSION = { flow: { case: "oneTimePayment", value: { accountId: "a" } } };
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

test("the user agent names the package's version", async (context) => {
  const payorch = await started(context);
  await payorch.connect().createSession(SESSION);

  assert.ok(payorch.calls[0].metadata["user-agent"].startsWith(`payorch-typescript/${version} grpc-node-js/`));
});

test("a request without an id gets a fresh one, and the caller's message stays as it is", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect();
  const message = create(CreateSessionRequestSchema, SESSION);
  const before = toBinary(CreateSessionRequestSchema, message);
  const answers = [
    await client.createSession(message),
    await client.createSession(message),
    await client.createSession(SESSION),
  ];

  answers.forEach((answer) => assert.match(answer.call.requestId, UUID_V7));
  assert.equal(new Set(answers.map((answer) => answer.call.requestId)).size, 3);
  assert.deepEqual(toBinary(CreateSessionRequestSchema, message), before);
  assert.deepEqual(Object.keys(SESSION), ["flow"]);
});

test("fresh ids are in the order of their making and name the time", () => {
  const [first, second] = [newRequestId(), newRequestId()];
  const madeMs = parseInt(first.replace("-", "").slice(0, 12), 16);

  assert.match(first, UUID_V7);
  assert.notEqual(first, second);
  assert.ok(Date.now() - madeMs >= 0 && Date.now() - madeMs < 60_000);
});

/** Yields an initial value for each place below a message where an invoice is paid. */
function* payingInvoices(schema) {
  for (const field of schema.fields.filter(({ message }) => message)) {
    const inner = field.message.typeName === "payorch.v1.PayInvoice" ? [{}] : [...payingInvoices(field.message)];
    for (const value of inner) {
      yield field.oneof ? { [field.oneof.localName]: { case: field.localName, value } } : { [field.localName]: value };
    }
  }
}

const PAYING = PaymentOrchestrationService.methods.flatMap((method) =>
  [...payingInvoices(method.input)].map((request) => [method, request]),
);

test("two requests pay invoices", () => {
  assert.deepEqual(
    PAYING.map(([method]) => method.input),
    [DecryptApplePayRequestSchema, CreatePaymentMethodRequestSchema],
  );
});

for (const [method, request] of PAYING) {
  test(`${method.name} that pays an invoice needs an id of the caller's`, async (context) => {
    const payorch = await started(context);
    const error = await rejection(payorch.connect()[method.localName](request));

    assert.ok(error instanceof ArgumentError);
    assert.match(
      error.message,
      /^request_id: it is required, because the request pays an invoice\. .*would charge twice/,
    );
    assert.deepEqual(payorch.calls, []);
  });
}

test("a question about no intent is refused", async (context) => {
  const payorch = await started(context);

  assert.equal(
    (await rejection(payorch.connect().getIntent({}))).message,
    "request_id: it is required; it names the intent that is asked about",
  );
});

for (const [request, wrong] of [
  [undefined, "request: a payorch.v1.CreateSessionRequest is needed, not undefined"],
  [null, "request: a payorch.v1.CreateSessionRequest is needed, not null"],
  ["x", "request: a payorch.v1.CreateSessionRequest is needed, not string"],
  [
    create(DecryptApplePayRequestSchema),
    "request: a payorch.v1.CreateSessionRequest is needed, not a payorch.v1.DecryptApplePayRequest",
  ],
  [{ request_id: ID }, "request.request_id: payorch.v1.CreateSessionRequest has no such member"],
  [{ flow: { case: "oneTimePaiment", value: {} } }, "request.flow: it has no case oneTimePaiment"],
  [{ flow: { case: "storeOnly" } }, "request.flow: the value of its case storeOnly is missing"],
  [
    { flow: { case: "oneTimePayment", value: { amount: { currency: "USD" } } } },
    "request.flow.oneTimePayment.amount.currency: google.type.Money has no such member",
  ],
  [
    { flow: { case: "oneTimePayment", value: { amount: { nanos: 0.25 } } } },
    "request: field google.type.Money.nanos has no valid value",
  ],
]) {
  test(`a wrong request is refused: ${wrong}`, async (context) => {
    const payorch = await started(context);
    const error = await rejection(payorch.connect().createSession(request));

    assert.ok(error instanceof ArgumentError);
    assert.equal(error.message, wrong);
    assert.deepEqual(payorch.calls, []);
  });
}

test("members of maps and of Google's own types are the caller's", async (context) => {
  const payorch = await started(context);
  await payorch
    .connect()
    .createPaymentMethod({
      account: { case: "noAccount", value: {} },
      method: { case: "other", value: {} },
      customFields: { anything__c: { value: { case: "text", value: "a" } } },
    })
    .catch((error) => assert.fail(error.message));
});

for (const deadlineMs of [0, -1, NaN, Infinity]) {
  test(`the deadline ${deadlineMs} is refused`, async (context) => {
    const payorch = await started(context);
    const error = await rejection(payorch.connect().createSession(SESSION, { deadlineMs }));

    assert.equal(error.message, `deadlineMs: ${deadlineMs} is not a positive number of milliseconds`);
  });
}

for (const trackId of ["", "a b", "a:b", "a\n", "ä", "a".repeat(65)]) {
  test(`the Track-Id ${JSON.stringify(trackId)} is refused`, async (context) => {
    const payorch = await started(context);
    const error = await rejection(payorch.connect().createSession(SESSION, { trackId }));

    assert.ok(
      error instanceof ArgumentError && error.message.startsWith(`track_id: ${JSON.stringify(trackId)} is not`),
    );
    assert.deepEqual(payorch.calls, []);
  });
}

test("an answer of an older service names the request id as well", async (context) => {
  const target = await serving(context, ServerCredentials.createInsecure(), (_call, respond) => respond(null, {}));
  const client = connect(target, { plaintext: true });
  context.after(() => client.close());

  assert.equal((await client.createSession({ ...SESSION, requestId: ID })).call.requestId, ID);
});

test("an answer that cannot be read leaves the outcome open", async (context) => {
  const respond = (_call, answer) => answer(null, Buffer.from([0xff]));
  const client = connect(await serving(context, ServerCredentials.createInsecure(), respond), {
    plaintext: true,
    resend: false,
  });
  context.after(() => client.close());

  assert.ok((await rejection(client.createSession(SESSION))) instanceof OutcomeUnknownError);
});

test("the caller's interceptors see every attempt", async (context) => {
  const payorch = await started(context);
  const seen = [];
  const interceptor = (options, next) => {
    seen.push(options.method_definition.path);
    return new InterceptingCall(next(options));
  };
  payorch.failWith("OVERLOADED");
  await payorch.connect({ interceptors: [interceptor] }).createSession(SESSION);

  assert.deepEqual(seen, Array(2).fill("/payorch.v1.PaymentOrchestrationService/CreateSession"));
});

test("an interceptor that throws leaves the outcome open", async (context) => {
  const payorch = await started(context);
  const wrong = new RangeError("wrong");
  const client = payorch.connect({
    resend: { attempts: 1 },
    interceptors: [
      () => {
        throw wrong;
      },
    ],
  });
  const error = await rejection(client.createSession(SESSION));

  assert.ok(error instanceof OutcomeUnknownError);
  assert.equal(error.cause, wrong);
});

test("an interceptor that throws does not turn a missing connection into a doubt", async () => {
  const interceptors = [
    () => {
      throw new RangeError("wrong");
    },
  ];
  const client = connect(await refusedTarget(), { plaintext: true, resend: false, interceptors });
  const error = await rejection(client.createSession(SESSION));
  client.close();

  assert.ok(error instanceof NotSentError);
});

test("a logger that throws does not hide a doubt", async (context) => {
  const payorch = await started(context);
  const wrong = new RangeError("wrong");
  payorch.failWithoutDetails(status.UNAVAILABLE);
  const error = await rejection(
    payorch
      .connect({
        logger: {
          info: () => {
            throw wrong;
          },
          warn: () => {},
        },
      })
      .createSession(SESSION),
  );

  assert.ok(error instanceof OutcomeUnknownError);
  assert.equal(error.cause, wrong);
});

test("many calls at once raise no warning of the process", async (context) => {
  const payorch = await started(context);
  const warnings = [];
  const noted = (warning) => warnings.push(warning.message);
  process.on("warning", noted);
  context.after(() => process.off("warning", noted));
  const client = payorch.connect({ token: async () => "token" });
  await Promise.all(Array.from({ length: 30 }, () => client.createSession(SESSION)));
  await new Promise((later) => setImmediate(later));

  assert.deepEqual(warnings, []);
  assert.equal(payorch.executed.length, 30);
});

test("resends are reported without the request", async (context) => {
  const payorch = await started(context);
  const lines = [];
  payorch.failWith("OVERLOADED", { retryAfterMs: 0 });
  await payorch
    .connect({ logger: { info: (text) => lines.push(text), warn: assert.fail } })
    .createSession({ ...SESSION, requestId: ID }, { trackId: "ticket-1" });

  assert.equal(lines.length, 1);
  assert.match(
    lines[0],
    /^CreateSession is sent again in \d+ ms after OVERLOADED; request id order-4711-attempt-1, Track-Id ticket-1$/,
  );
});

test("the text of an error is enough for a ticket", async (context) => {
  const payorch = await started(context);
  const violations = Object.fromEntries(["a", "b", "c", "d", "e"].map((field) => [field, `wrong\u2028${field}`]));
  payorch.failWith("REQUEST_INVALID", { violations, metadata: { violationsOmitted: "7" }, zuoraCodes: ["1", "2"] });
  const client = payorch.connect({ errorsUrl: "https://docs.example/errors" });
  const error = await rejection(client.createSession({ ...SESSION, requestId: ID }, { trackId: "ticket-1" }));

  assert.equal(
    error.message,
    "REQUEST_INVALID: The request breaks rules; the details name each field. " +
      "[a: wrong\\u{2028}a; b: wrong\\u{2028}b; c: wrong\\u{2028}c; and 9 more] " +
      "(outcome NOT_SENT, advice FIX_REQUEST, request id order-4711-attempt-1, Track-Id ticket-1, Zuora codes 1 2, " +
      "https://docs.example/errors#request_invalid)",
  );
});

test("an error can be written as JSON by a logger, without the outcome's bigints", async (context) => {
  const payorch = await started(context);
  payorch.failWith("PAYMENT_DECLINED");
  const error = await rejection(payorch.connect().createSession({ ...SESSION, requestId: ID }));
  const written = JSON.parse(JSON.stringify(error));

  assert.deepEqual([written.reason, written.requestId], ["PAYMENT_DECLINED", ID]);
  assert.ok(error instanceof RefusedError && error instanceof PayorchError && error instanceof Error);
  assert.ok(error.stack.startsWith("RefusedError: PAYMENT_DECLINED: "));
  assert.equal(error.attempts.length, 1);
  assert.ok(error.callOutcome);
});

test("the error of the least certain attempt is raised, with all attempts", async (context) => {
  const payorch = await started(context);
  payorch.failWithoutDetails(status.UNAVAILABLE, { message: "no healthy upstream" });
  payorch.failWith("CALLER_NOT_PERMITTED");
  const error = await rejection(payorch.connect().createSession(SESSION));

  assert.ok(error instanceof OutcomeUnknownError);
  assert.deepEqual(
    error.attempts.map(({ reason }) => reason),
    ["", "CALLER_NOT_PERMITTED"],
  );
  assert.match(
    error.message,
    /^UNAVAILABLE: no healthy upstream \(outcome UNKNOWN, .*, after 2 attempts, the last one ended as CALLER_NOT_/,
  );
  assert.equal(error.cause.code, status.PERMISSION_DENIED);
});

test("a doubt outlives a connection that is lost", async (context) => {
  const payorch = await started(context);
  payorch.failWith("UPSTREAM_NO_ANSWER");
  const stopping = (options, next) =>
    new InterceptingCall(next(options), {
      start: (metadata, _listener, start) =>
        start(metadata, {
          onReceiveStatus: (received, pass) => {
            payorch.stop();
            pass(received);
          },
        }),
    });
  const client = payorch.connect({ interceptors: [stopping], resend: { attempts: 2 } });
  const error = await rejection(client.createSession(SESSION));

  assert.ok(error instanceof OutcomeUnknownError, error.message);
  assert.equal(error.attempts.length, 2);
});

test("a call that the channel would resend is sent once beside the loop", async (context) => {
  const payorch = await started(context);
  payorch.failWith("UPSTREAM_UNREACHABLE", { times: 9 });
  await rejection(payorch.connect({ resend: { attempts: 1 } }).createSession(SESSION));
  assert.equal(payorch.calls.length, 1);

  await rejection(payorch.connect({ resend: false }).createSession(SESSION));
  assert.ok(payorch.calls.length > 2, `${payorch.calls.length}`);
});

for (const serviceConfig of ["", "[]", "null", "{"]) {
  test(`the service config ${JSON.stringify(serviceConfig)} is refused`, () => {
    assert.throws(
      () => connect("payorch:1", { serviceConfig }),
      new ArgumentError("serviceConfig: it is not a JSON object"),
    );
  });
}

test("no connection in time means that nothing was sent", async (context) => {
  // It accepts connections and never speaks.
  const silent = createServer((socket) => context.after(() => socket.destroy()));
  await new Promise((listening) => silent.listen(0, "127.0.0.1", listening));
  context.after(() => silent.close());
  const client = connect(`127.0.0.1:${silent.address().port}`, { plaintext: true });
  context.after(() => client.close());
  const error = await rejection(client.createSession(SESSION, { deadlineMs: 50 }));

  assert.ok(error instanceof NotSentError);
  assert.equal(error.hint, "it was not made in time");
});

test("the resends of a refused connection are attempts of the call", async () => {
  const client = connect(await refusedTarget(), { plaintext: true, resend: { attempts: 2 } });
  const error = await rejection(client.createSession(SESSION));
  client.close();

  assert.equal(error.attempts.length, 2);
  assert.ok(error instanceof NotSentError);
});
