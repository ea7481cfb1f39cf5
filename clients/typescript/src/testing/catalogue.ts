import { readFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs, type Any } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import { ArgumentError } from "../errors.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../gen/google/rpc/status_pb.js";
import { Advice, CallOutcomeSchema, Outcome, type CallOutcome } from "../gen/payorch/v1/call_pb.js";
import type { ErrorReason } from "../gen/payorch/v1/error_reason_pb.js";

/** Name of an ErrorReason without its prefix. */
export type ReasonName = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

/** What is known of a reason. */
export interface Entry {
  readonly number: number;
  readonly code: keyof typeof status;
  readonly message: string;
  readonly outcome: keyof typeof Outcome;
  readonly advice: keyof typeof Advice;
  readonly adviceByRpc?: Readonly<Record<string, keyof typeof Advice>>;
  readonly retryDelaySeconds?: number;
  /** The keys of the ErrorInfo's metadata. */
  readonly metadata?: readonly string[];
  readonly namesFields?: boolean;
}

/** How a call fails. */
export interface FailureOptions {
  /** Broken rules, as descriptions by field; where the reason names fields and there is none, an example. */
  readonly violations?: Readonly<Record<string, string>>;
  /** Of the ErrorInfo, over examples of what the reason has. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** What RetryInfo says; unless given, what the service says for the reason, if anything. */
  readonly retryAfterMs?: number;
  /** As Zuora sends them. */
  readonly zuoraCodes?: readonly string[];
  /** What exists although the call failed. */
  readonly existing?: { readonly paymentMethodId?: string; readonly paymentId?: string };
  /**
   * Whether the request is executed all the same, so that a resend finds it done. Only for reasons whose outcome is
   * unknown.
   */
  readonly executed?: boolean;
}

const DOMAIN = "payorch";
const EXAMPLE = "example";
const VIOLATION = { request_id: "must be 16 to 128 characters from 0x21 to 0x7E" };
const NEAR = 0.4;
const MOST_NEAR = 3;

let read: Readonly<Record<string, Entry>> | undefined;

/** Returns the reasons as the service uses them, by their names; generated from the service's own tables. */
export function catalogue(): Readonly<Record<string, Entry>> {
  read ??= JSON.parse(readFileSync(new URL("../../reasons.json", import.meta.url), "utf8")) as Record<string, Entry>;
  return read;
}

/** An error as the service makes it. */
export class Failure {
  readonly #entry: Entry;
  readonly #options: FailureOptions;

  /** @throws ArgumentError if there is no such reason, or it contradicts `executed`. */
  constructor(
    readonly reason: string,
    options: FailureOptions = {},
  ) {
    const entry = catalogue()[reason];
    if (entry === undefined) {
      const near = nearest(String(reason).toUpperCase(), Object.keys(catalogue()));
      const meant = near.length > 0 ? `; did you mean ${near.join(", ")}?` : "";
      throw new ArgumentError(`reason: ${JSON.stringify(reason)} is none${meant}`);
    }
    if (options.executed && entry.outcome !== "UNKNOWN") {
      throw new ArgumentError(`executed: ${reason} says that the request was not executed`);
    }
    this.#entry = entry;
    this.#options = options;
  }

  /** What happened at Zuora. */
  get outcome(): Outcome {
    return Outcome[this.#entry.outcome];
  }

  /** Whether the request is executed all the same. */
  get executed(): boolean {
    return this.#options.executed ?? false;
  }

  /** Returns what the caller of an RPC should do next. */
  advice(rpc: string): Advice {
    return Advice[this.#entry.adviceByRpc?.[rpc] ?? this.#entry.advice];
  }

  /** Returns whether a resend gets the same answer again. */
  settles(rpc: string): boolean {
    return this.outcome !== Outcome.NOT_SENT && this.advice(rpc) !== Advice.RESEND_SAME_REQUEST_ID;
  }

  /** Returns the outcome of a call. */
  callOutcome(rpc: string, trackId: string): CallOutcome {
    const { zuoraCodes = [], existing } = this.#options;
    return create(CallOutcomeSchema, {
      outcome: this.outcome,
      advice: this.advice(rpc),
      zuoraCodes: [...zuoraCodes],
      trackId,
      ...(existing && { existing }),
    });
  }

  /** Returns the error as grpc-js sends it. */
  status(rpc: string, trackId: string): { code: status; details: string; metadata: Metadata } {
    const code = status[this.#entry.code];
    const packed = create(StatusSchema, { code, message: this.#entry.message, details: this.#details(rpc, trackId) });
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, packed)));
    metadata.set("payorch-outcome", this.#entry.outcome);
    metadata.set("payorch-advice", Advice[this.advice(rpc)]);
    metadata.set("zuora-track-id", trackId);
    return { code, details: this.#entry.message, metadata };
  }

  #details(rpc: string, trackId: string): Any[] {
    const { metadata, violations, retryAfterMs = (this.#entry.retryDelaySeconds ?? NaN) * 1_000 } = this.#options;
    const examples = Object.fromEntries((this.#entry.metadata ?? []).map((name) => [name, EXAMPLE]));
    const info = { reason: this.reason, domain: DOMAIN, metadata: { ...examples, ...metadata } };
    const broken = Object.entries(violations ?? (this.#entry.namesFields ? VIOLATION : {}));
    const fieldViolations = broken.map(([field, description]) => ({ field, reason: EXAMPLE, description }));
    return [
      anyPack(ErrorInfoSchema, create(ErrorInfoSchema, info)),
      anyPack(CallOutcomeSchema, this.callOutcome(rpc, trackId)),
      ...(Number.isNaN(retryAfterMs)
        ? []
        : [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) }))]),
      ...(fieldViolations.length === 0
        ? []
        : [anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations }))]),
    ];
  }
}

/** Returns the names that share most pairs of letters with a text, nearest first. */
function nearest(text: string, names: readonly string[]): string[] {
  const pairs = (word: string) => new Set(Array.from({ length: word.length - 1 }, (_, at) => word.slice(at, at + 2)));
  const wanted = pairs(text || " ");
  const likeness = (name: string) => {
    const found = pairs(name);
    return (2 * [...found].filter((pair) => wanted.has(pair)).length) / (found.size + wanted.size);
  };
  const scored = names.map((name) => ({ name, score: likeness(name) })).filter(({ score }) => score >= NEAR);
  return scored
    .sort((first, second) => second.score - first.score)
    .slice(0, MOST_NEAR)
    .map(({ name }) => name);
}
