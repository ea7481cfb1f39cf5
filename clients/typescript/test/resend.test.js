// When a call is sent again, compared with a model of a few lines.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { status } from "@grpc/grpc-js";
import { ArgumentError } from "@payorch/client";
import { Advice, Outcome } from "@payorch/client/v1";
import { notSent } from "../dist/call-error.js";
import { Budget, checkedResend, ResendLoop } from "../dist/resend.js";

const EPOCH_MS = 1_800_000_000_000;
const RESEND = Advice.RESEND_SAME_REQUEST_ID;
const OTHER_ADVICE = Object.values(Advice).filter((value) => typeof value === "number" && value !== RESEND);

/** Returns an error. */
function error(more = {}) {
  return { ...notSent(status.UNAVAILABLE, "no"), ...more };
}

/** A clock that tests move; the jitter is a part of the most there may be. */
class World {
  nowMs = 0;

  constructor(part = 1) {
    this.part = part;
  }

  loop(policy, { deadlineMs = 1_000_000, canRefresh = true, budget = new Budget() } = {}) {
    const timing = {
      monotonicMs: () => this.nowMs,
      unixMs: () => EPOCH_MS + this.nowMs,
      uniform: (low, high) => low + this.part * (high - low),
      pauseMs: (waitMs) => waitMs,
    };
    return new ResendLoop({ policy, budget, timing, deadlineMs, canRefresh });
  }

  /** Lets attempts end like this until the loop does. */
  played(loop, ends) {
    const steps = [];
    for (const end of ends) {
      this.nowMs += 100;
      steps.push(loop.after(end));
      this.nowMs += steps.at(-1).waitMs ?? 0;
      if (steps.at(-1).kind === "end") {
        break;
      }
    }
    return steps;
  }
}

const kinds = (steps) => steps.map(({ kind }) => kind);
const waits = (steps) => steps.map(({ waitMs }) => waitMs);
const near = (found, wanted) =>
  assert.deepEqual(
    found.map((value) => value && Math.round(value)),
    wanted,
  );

const errors = fc.record({
  code: fc.constantFrom(status.UNAVAILABLE, status.ABORTED, status.UNAUTHENTICATED, status.CANCELLED),
  outcome: fc.constantFrom(Outcome.NOT_SENT, Outcome.REFUSED, Outcome.PARTIAL, Outcome.UNKNOWN),
  // Mostly what leads on.
  advice: fc.constantFrom(RESEND, RESEND, RESEND, ...OTHER_ADVICE),
  retryDelayMs: fc.option(fc.double({ min: -1_000, max: 10_000, noNaN: true }), { nil: undefined }),
  resendBeforeTime: fc.option(
    fc.integer({ min: 0, max: 60_000 }).map((ms) => new Date(EPOCH_MS + ms)),
    { nil: undefined },
  ),
});

test("the loop is the model, whatever attempts end with", () => {
  const property = fc.property(
    fc.array(errors.map(error), { minLength: 1, maxLength: 12 }),
    fc.option(
      fc.integer({ min: 1, max: 6 }).map((attempts) => checkedResend({ attempts })),
      { nil: undefined },
    ),
    fc.double({ min: 100, max: 30_000, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.boolean(),
    (ends, policy, deadlineMs, part, canRefresh) => {
      const world = new World(part);
      const loop = world.loop(policy, { deadlineMs, canRefresh });
      const steps = world.played(loop, ends);
      const seen = ends.slice(0, steps.length);

      assert.ok(kinds(steps).filter((kind) => kind === "refresh token and send").length <= (canRefresh ? 1 : 0));
      assert.ok(kinds(steps).filter((kind) => kind === "wait and send").length <= (policy ? policy.attempts - 1 : 0));
      let elapsedMs = 0;
      let limitMs = Infinity;
      steps.forEach(({ kind, waitMs = 0 }, index) => {
        const end = seen[index];
        elapsedMs += 100 + waitMs;
        limitMs = Math.min(limitMs, end.resendBeforeTime ? end.resendBeforeTime.getTime() - EPOCH_MS : Infinity);
        if (kind === "refresh token and send") {
          assert.equal(end.code, status.UNAUTHENTICATED);
        }
        if (kind === "wait and send") {
          assert.equal(end.advice, RESEND);
          assert.ok(end.code !== status.UNAUTHENTICATED && end.code !== status.CANCELLED);
          const leastMs = Math.max(0, end.retryDelayMs ?? 0);
          assert.ok(leastMs <= waitMs && waitMs <= leastMs + 8_000);
        }
        if (kind !== "end") {
          assert.ok(elapsedMs + 1_000 <= deadlineMs + 1e-6);
          assert.ok(elapsedMs < limitMs + 1e-6);
        }
      });
      const doubt = seen.filter(({ outcome }) => outcome === Outcome.UNKNOWN).at(-1);
      const newest = seen.at(-1);
      assert.equal(loop.raised(), doubt && newest.outcome === Outcome.NOT_SENT ? doubt : newest);
      assert.deepEqual(loop.attempts, seen);
    },
  );
  fc.assert(property, { numRuns: 2_000 });
});

test("a call is sent as often as the policy says, with waits that double", () => {
  const world = new World();
  const steps = world.played(world.loop(checkedResend({ attempts: 4 })), Array(9).fill(error()));

  near(waits(steps), [200, 400, 800, undefined]);
});

test("a wait is longer than RetryInfo and never shorter", () => {
  for (const [part, expected] of [
    [0, 3_000],
    [1, 3_200],
  ]) {
    const world = new World(part);
    near(waits(world.played(world.loop(checkedResend({})), [error({ retryDelayMs: 3_000 })])), [expected]);
  }
});

for (const advice of OTHER_ADVICE) {
  test(`the advice ${Advice[advice]} ends the loop`, () => {
    assert.equal(new World().loop(checkedResend({})).after(error({ advice })).kind, "end");
  });
}

test("without a policy nothing is sent again", () => {
  assert.equal(new World().loop(undefined).after(error()).kind, "end");
});

test("the loop ends once the caller has given up", () => {
  const cancelled = error({ outcome: Outcome.UNKNOWN, code: status.CANCELLED });

  assert.equal(new World().loop(checkedResend({})).after(cancelled).kind, "end");
});

test("nothing is sent after the earliest time that an attempt named", () => {
  const [soon, late] = [900, 60_000].map((ms) => error({ resendBeforeTime: new Date(EPOCH_MS + ms) }));
  const world = new World();
  const steps = world.played(world.loop(checkedResend({ attempts: 9 })), [soon, late, late, late]);

  assert.deepEqual(kinds(steps), ["wait and send", "wait and send", "end"]);
});

test("no attempt begins that could only time out", () => {
  assert.equal(new World().loop(checkedResend({}), { deadlineMs: 1_199 }).after(error()).kind, "end");
  assert.equal(new World().loop(checkedResend({}), { deadlineMs: 1_200 }).after(error()).kind, "wait and send");
});

test("the loop ends while most calls fail, and successes bring resends back", () => {
  const budget = new Budget();
  const resent = () => new World().loop(checkedResend({ attempts: 2 }), { budget }).after(error()).kind !== "end";

  assert.deepEqual(Array.from({ length: 7 }, resent), [true, true, true, true, false, false, false]);
  Array.from({ length: 41 }, () => budget.succeeded());
  assert.ok(resent());
});

test("a doubt outlives a later refusal to send", () => {
  const world = new World();
  const loop = world.loop(checkedResend({}));
  const lost = error({ outcome: Outcome.UNKNOWN });
  world.played(loop, [lost, error({ advice: Advice.FIX_REQUEST })]);

  assert.equal(loop.raised(), lost);
});

for (const outcome of [Outcome.REFUSED, Outcome.PARTIAL]) {
  test(`a doubt ends with the settled answer ${Outcome[outcome]}`, () => {
    const world = new World();
    const loop = world.loop(checkedResend({}));
    const settled = error({ outcome, advice: Advice.LOOK_UP });
    world.played(loop, [error({ outcome: Outcome.UNKNOWN }), settled]);

    assert.equal(loop.raised(), settled);
  });
}

const WRONG = error({ code: status.UNAUTHENTICATED });

for (const policy of [undefined, checkedResend({ attempts: 1 }), checkedResend({})]) {
  test(`a wrong credential is replaced once, with ${policy ? policy.attempts : "no"} attempts`, () => {
    const world = new World();

    assert.deepEqual(kinds(world.played(world.loop(policy), [WRONG, WRONG])), ["refresh token and send", "end"]);
  });
}

test("a wrong credential ends the call where there is no other", () => {
  assert.equal(new World().loop(checkedResend({}), { canRefresh: false }).after(WRONG).kind, "end");
});

test("a wrong credential does not count as an attempt", () => {
  const world = new World();
  const steps = world.played(world.loop(checkedResend({ attempts: 2 })), [WRONG, error(), error()]);

  assert.deepEqual(kinds(steps), ["refresh token and send", "wait and send", "end"]);
});

for (const wrong of [{ attempts: 0 }, { attempts: 1.5 }, { withinMs: 0 }, { withinMs: NaN }, { withinMs: Infinity }]) {
  test(`the policy ${Object.entries(wrong)} is refused by name`, () => {
    assert.throws(
      () => checkedResend(wrong),
      (thrown) => {
        return thrown instanceof ArgumentError && thrown.message.startsWith(`${Object.keys(wrong)[0]}: `);
      },
    );
  });
}
