// The supplier of tokens is asked for every send, and for a fresh one after a refusal alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, connect, NotSentError, OutcomeUnknownError, status } from "@payorch/client";
import { rejection, started } from "./servers.js";

const SESSION = { flow: { case: "storeOnly", value: {} } };

/** Returns a supplier of tokens, the first of them and with each refusal the next, and the arguments of its calls. */
function supplier(...tokens) {
  const asked = [];
  const token = async (refresh) => {
    asked.push(refresh);
    return refresh && tokens.length > 1 ? (tokens.shift(), tokens[0]) : tokens[0];
  };
  return { token, asked };
}

test("a token is fetched for every send", async (context) => {
  const payorch = await started(context);
  const { token, asked } = supplier("first");
  payorch.failWith("OVERLOADED");
  await payorch.connect({ token }).createSession(SESSION);

  assert.deepEqual(asked, [false, false]);
  assert.deepEqual(
    payorch.calls.map((call) => call.token),
    ["first", "first"],
  );
});

for (const resend of [undefined, false, { attempts: 1 }]) {
  test(`a refused token is replaced once, with resend ${JSON.stringify(resend)}`, async (context) => {
    const payorch = await started(context);
    const { token, asked } = supplier("old", "new");
    payorch.failWith("CALLER_UNAUTHENTICATED");
    await payorch.connect({ token, resend }).createSession(SESSION);

    assert.deepEqual(asked, [false, true]);
    assert.deepEqual(
      payorch.calls.map((call) => call.token),
      ["old", "new"],
    );
  });
}

test("a token that stays the same is not sent again", async (context) => {
  const payorch = await started(context);
  const { token } = supplier("old");
  payorch.failWith("CALLER_UNAUTHENTICATED", { times: 9 });
  const error = await rejection(payorch.connect({ token }).createSession(SESSION));

  assert.ok(error instanceof NotSentError);
  assert.deepEqual([error.reason, payorch.calls.length], ["CALLER_UNAUTHENTICATED", 1]);
});

for (const [token, wrong] of [
  [" a", "begins or ends with a blank"],
  ["a\n", "begins or ends with a blank"],
  ["", "is empty"],
  ["a b", "has a character"],
  ["ä", "has a character"],
  [undefined, "returned no text but undefined"],
  [null, "returned no text but null"],
]) {
  test(`the token ${JSON.stringify(token)} is refused`, async (context) => {
    const payorch = await started(context);
    const error = await rejection(payorch.connect({ token: () => token }).createSession(SESSION));

    assert.ok(error instanceof ArgumentError && error.message.startsWith("token: ") && error.message.includes(wrong));
    assert.deepEqual(payorch.calls, []);
  });
}

test("a token that is no function is refused", () => {
  assert.throws(
    () => connect("payorch:1", { token: "secret" }),
    new ArgumentError("token: a function that returns the token is needed"),
  );
});

for (const [name, supply] of [
  [
    "throws",
    () => {
      throw new RangeError("no token");
    },
  ],
  ["rejects", () => Promise.reject(new RangeError("no token"))],
]) {
  test(`the error of a supplier that ${name} is its own`, async (context) => {
    const payorch = await started(context);

    assert.ok((await rejection(payorch.connect({ token: supply }).createSession(SESSION))) instanceof RangeError);
    assert.deepEqual(payorch.calls, []);
  });

  test(`a supplier that ${name} does not hide a doubt`, async (context) => {
    const payorch = await started(context);
    payorch.failWithoutDetails(status.UNAVAILABLE);
    let calls = 0;
    const error = await rejection(
      payorch.connect({ token: () => (calls++ ? supply() : "token") }).createSession(SESSION),
    );

    assert.ok(error instanceof OutcomeUnknownError);
    assert.ok(error.cause instanceof RangeError);
  });
}

test("a supplier that never answers ends with the deadline, and nothing was sent", async (context) => {
  const payorch = await started(context);
  const client = payorch.connect({ token: () => new Promise(() => {}) });
  const error = await rejection(client.createSession(SESSION, { deadlineMs: 20 }));

  assert.ok(error instanceof NotSentError);
  assert.equal(error.code, status.DEADLINE_EXCEEDED);
  assert.deepEqual(payorch.calls, []);
});
