import { status } from "@grpc/grpc-js";
import type { CallError } from "./call-error.js";
import { ArgumentError } from "./errors.js";
import { Advice, Outcome } from "./gen/payorch/v1/call_pb.js";
import type { Timing } from "./timing.js";

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 8_000;
const MOST_DOUBLINGS = 10;
/** An attempt with less time left could only make the outcome less certain. */
const LEAST_ATTEMPT_MS = 1_000;
const MOST_TOKENS = 10;
const TOKENS_OF_SUCCESS = 0.1;

/** How often and for how long a call is sent again under its request id, where the service advises it. */
export interface Resend {
  /** How often a call is sent in total; at least 1. */
  readonly attempts: number;
  /** How long a call takes at most with all its attempts and waits, unless it is given a deadline. */
  readonly withinMs: number;
}

/** What a client does unless it is given something else. */
export const RESEND: Resend = { attempts: 4, withinMs: 20_000 };

/**
 * Returns a policy with every member.
 *
 * @throws ArgumentError if a number is out of its range.
 */
export function checkedResend(given: Partial<Resend>): Resend {
  const policy = { ...RESEND, ...given };
  if (!Number.isInteger(policy.attempts) || policy.attempts < 1) {
    throw new ArgumentError(`attempts: ${policy.attempts} is not a whole number from 1`);
  }
  if (!(Number.isFinite(policy.withinMs) && policy.withinMs > 0)) {
    throw new ArgumentError(`withinMs: ${policy.withinMs} is not a positive number of milliseconds`);
  }
  return policy;
}

/** Stops resends while many calls of a client fail, as gRPC's own retry throttling does. */
export class Budget {
  #tokens = MOST_TOKENS;

  /** Counts a success. */
  succeeded(): void {
    this.#tokens = Math.min(MOST_TOKENS, this.#tokens + TOKENS_OF_SUCCESS);
  }

  /** Counts a failure; returns whether it may be sent again. */
  allowsResend(): boolean {
    this.#tokens = Math.max(0, this.#tokens - 1);
    return this.#tokens > MOST_TOKENS / 2;
  }
}

/** What follows a failed attempt. */
export type Next =
  | { readonly kind: "end" }
  | { readonly kind: "refresh token and send" }
  | { readonly kind: "wait and send"; readonly waitMs: number };

const END: Next = { kind: "end" };

/** What the attempts of a call depend on. */
export interface LoopSettings {
  /** Undefined: a call is sent once, and once more with a fresh token. */
  readonly policy: Resend | undefined;
  readonly budget: Budget;
  readonly timing: Timing;
  /** On the monotonic clock of the timing. */
  readonly deadlineMs: number;
  /** Whether there is a supplier of tokens. */
  readonly canRefresh: boolean;
}

/**
 * When a call is sent again: a state machine that neither sends nor sleeps.
 *
 * It follows the advice of the service alone, and never makes an outcome more certain than the least certain attempt.
 */
export class ResendLoop {
  /** How the attempts ended, in their order. */
  readonly attempts: CallError[] = [];
  readonly #settings: LoopSettings;
  #doubt: CallError | undefined;
  #counted = 1;
  #refreshed = false;
  #resendBeforeMs = Infinity;

  constructor(settings: LoopSettings) {
    this.#settings = settings;
  }

  /** The newest attempt that may have been executed. */
  get doubt(): CallError | undefined {
    return this.#doubt;
  }

  /** Returns the time that is left; 0 when there is none. */
  remainingMs(): number {
    return Math.max(0, this.#settings.deadlineMs - this.#settings.timing.monotonicMs());
  }

  /** Returns what follows an attempt that failed. */
  after(error: CallError): Next {
    const { policy, budget, timing } = this.#settings;
    this.#remember(error);
    // A wrong credential is never sent twice.
    if (error.code === status.UNAUTHENTICATED) {
      return this.#afterWrongCredential();
    }
    // Its caller has given it up.
    if (error.code === status.CANCELLED) {
      return END;
    }
    if (policy === undefined || error.advice !== Advice.RESEND_SAME_REQUEST_ID) {
      return END;
    }
    if (!budget.allowsResend() || this.#counted >= policy.attempts) {
      return END;
    }
    const waitMs = Math.max(0, error.retryDelayMs ?? 0) + timing.uniform(0, this.#mostJitterMs());
    if (!this.#inTime(waitMs)) {
      return END;
    }
    this.#counted += 1;
    return { kind: "wait and send", waitMs };
  }

  /** Returns the error of the call: the newest, unless it says nothing of an earlier attempt that is in doubt. */
  raised(): CallError {
    const newest = this.attempts.at(-1);
    if (newest === undefined) {
      throw new RangeError("no attempt has ended");
    }
    return newest.outcome === Outcome.NOT_SENT ? (this.#doubt ?? newest) : newest;
  }

  #remember(error: CallError): void {
    this.attempts.push(error);
    if (error.outcome === Outcome.UNKNOWN) {
      this.#doubt = error;
    }
    this.#resendBeforeMs = Math.min(this.#resendBeforeMs, error.resendBeforeTime?.getTime() ?? Infinity);
  }

  #afterWrongCredential(): Next {
    if (!this.#settings.canRefresh || this.#refreshed || !this.#inTime(0)) {
      return END;
    }
    this.#refreshed = true;
    return { kind: "refresh token and send" };
  }

  #mostJitterMs(): number {
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#counted - 1, MOST_DOUBLINGS));
  }

  #inTime(waitMs: number): boolean {
    const inDeadline = waitMs + LEAST_ATTEMPT_MS <= this.remainingMs();
    return inDeadline && this.#settings.timing.unixMs() + waitMs < this.#resendBeforeMs;
  }
}
