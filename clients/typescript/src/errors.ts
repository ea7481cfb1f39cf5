import { status } from "@grpc/grpc-js";
import type { CallError } from "./call-error.js";
import { Advice, Outcome } from "./gen/payorch/v1/call_pb.js";

/** The page with every reason, in the project's repository. */
export const ERRORS_URL = "docs/errors.md";
const MOST_VIOLATIONS = 3;

/** A mistake of the caller's that was found before anything was sent. */
export class ArgumentError extends TypeError {
  static {
    this.prototype.name = "ArgumentError";
  }
}

/** What is known of a call that failed. */
export interface Failure {
  /** Of the least certain attempt. */
  readonly error: CallError;
  /** Of the intent; empty where the RPC has none. */
  readonly requestId: string;
  /** How all attempts ended, in their order. */
  readonly attempts: readonly CallError[];
  /** Of the page that the text links to. */
  readonly errorsUrl?: string;
  /** The error of grpc-js, or the reason for which the caller aborted the call. */
  readonly cause?: unknown;
}

/** What the service says of the call, or this package where the call was never sent. */
export interface PayorchError extends Omit<CallError, "message"> {}

/**
 * A call that failed. The class says what happened at Zuora, `advice` what to do next.
 *
 * `message` alone is enough for a ticket: it names reason, broken fields, request id and Track-Id.
 */
export class PayorchError extends Error {
  /** The sentence of the service, without what `message` adds. */
  readonly details: string;
  /** Of the intent, for a resend; empty where the RPC has none. */
  readonly requestId: string;
  /** How all attempts of the call ended, in their order. */
  declare readonly attempts: readonly CallError[];

  constructor({ error, requestId, attempts, errorsUrl = ERRORS_URL, cause }: Failure) {
    super(errorText(error, requestId, attempts, errorsUrl), cause === undefined ? {} : { cause });
    const { message, callOutcome, ...facts } = error;
    this.details = message;
    this.requestId = requestId;
    Object.assign(this, facts);
    // Not enumerable: they hold bigints, on which a logger that uses JSON would fail.
    Object.defineProperty(this, "callOutcome", { value: callOutcome });
    Object.defineProperty(this, "attempts", { value: attempts });
  }
}

/** Nothing of this call reached Zuora; an earlier call of the same intent may have. */
export class NotSentError extends PayorchError {
  static {
    this.prototype.name = "NotSentError";
  }
}

/** Zuora refused, and did nothing. */
export class RefusedError extends PayorchError {
  static {
    this.prototype.name = "RefusedError";
  }
}

/** A part was done: `callOutcome.existing` names it. */
export class PartialError extends PayorchError {
  static {
    this.prototype.name = "PartialError";
  }
}

/** It may or may not have been done; start no new intent before that is settled. */
export class OutcomeUnknownError extends PayorchError {
  static {
    this.prototype.name = "OutcomeUnknownError";
  }
}

/** Returns the error for how a call failed; an outcome that is not known here is an unknown one. */
export function payorchErrorOf(failure: Failure): PayorchError {
  switch (failure.error.outcome) {
    case Outcome.NOT_SENT:
      return new NotSentError(failure);
    case Outcome.REFUSED:
      return new RefusedError(failure);
    case Outcome.PARTIAL:
      return new PartialError(failure);
    default:
      return new OutcomeUnknownError(failure);
  }
}

/** Returns an error in one line: what, which fields, what it means, and the ids by which others find the call. */
function errorText(error: CallError, requestId: string, attempts: readonly CallError[], errorsUrl: string): string {
  const anchor = error.reason.toLowerCase() || "outcomes-and-advice";
  const facts = factsOf(error, requestId, attempts).join(", ");
  return oneLine(`${nameOf(error)}: ${error.message}${fieldsOf(error)} (${facts}, ${errorsUrl}#${anchor})`);
}

/** Returns the reason, or the code of gRPC where there is none. */
export function nameOf(error: CallError): string {
  return error.reason || (status[error.code] ?? String(error.code));
}

/**
 * Returns the first violations in brackets, and how many there are beside them.
 * The service puts the first one at the end of the message, and then it is left out here.
 */
function fieldsOf({ message, violations, metadata }: CallError): string {
  const first = violations.slice(0, MOST_VIOLATIONS).map(({ field, description }) => `${field}: ${description}`);
  const omitted = metadata["violationsOmitted"] ?? "";
  const more = violations.length - first.length + (/^\d+$/.test(omitted) ? Number(omitted) : 0);
  const isInMessage = (text: string, index: number) => index === 0 && ` ${message}`.endsWith(` ${text}`);
  const shown = [...first.filter((text, index) => !isInMessage(text, index)), ...(more ? [`and ${more} more`] : [])];
  return shown.length ? ` [${shown.join("; ")}]` : "";
}

function factsOf(error: CallError, requestId: string, attempts: readonly CallError[]): string[] {
  const last = attempts.at(-1) ?? error;
  return [
    `outcome ${Outcome[error.outcome]}`,
    `advice ${Advice[error.advice]}`,
    attempts.length > 1 ? `after ${attempts.length} attempts` : "",
    last === error ? "" : `the last one ended as ${nameOf(last)}`,
    requestId && `request id ${requestId}`,
    error.trackId && `Track-Id ${error.trackId}`,
    error.zuoraCodes.length ? `Zuora codes ${error.zuoraCodes.join(" ")}` : "",
  ].filter((fact) => fact !== "");
}

/** Returns a text in which what others wrote cannot begin a new line of a log, nor hide. */
export function oneLine(text: string): string {
  return text.replace(/[\p{C}\p{Z}]/gu, (character) =>
    character === " " ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
