import { setMaxListeners } from "node:events";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { status, type Client as Channel } from "@grpc/grpc-js";
import { attempted, type Call, type Result } from "./attempt.js";
import { notSent, type CallError } from "./call-error.js";
import { notConnected, whyNotConnected, type Endpoint } from "./connection.js";
import { ArgumentError, nameOf, PayorchError, payorchErrorOf } from "./errors.js";
import { CallInfoSchema, type CallInfo } from "./gen/payorch/v1/call_pb.js";
import { checkedTrackId } from "./identifiers.js";
import type { Link, Links } from "./links.js";
import type { Logger } from "./logger.js";
import { outgoing, type Outgoing } from "./request.js";
import { ResendLoop, type Budget, type Resend } from "./resend.js";
import type { Timing } from "./timing.js";
import { checkedToken, type TokenSource } from "./token.js";
import { traceContext } from "./tracing.js";
import { ENDED, pause, until } from "./waiting.js";

/** Of a call that is sent once and is given none; the service ends no call later than after 55 s. */
const DEADLINE_MS = 20_000;

/** What holds for one call. */
export interface CallSettings {
  /** From now, for all attempts; unless given, `withinMs` of the resends, or 20 seconds. */
  readonly deadlineMs?: number | undefined;
  /** The Zuora-Track-Id of the call: 1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma. */
  readonly trackId?: string | undefined;
  /** Gives the call up. What was sent by then may have been executed. */
  readonly signal?: AbortSignal | undefined;
}

/** What holds for every call of a client. */
export interface SenderSettings {
  readonly links: Links;
  readonly endpoint: Endpoint;
  readonly token: TokenSource | undefined;
  readonly resend: Resend | undefined;
  readonly budget: Budget;
  readonly errorsUrl: string;
  readonly logger: Logger;
  readonly timing: Timing;
}

/** Sends calls over the channels of a client, again where the service advises it. */
export class Sender {
  readonly #settings: SenderSettings;
  readonly #closing = new AbortController();

  constructor(settings: SenderSettings) {
    this.#settings = settings;
    setMaxListeners(0, this.#closing.signal); // one for each call that waits
  }

  /**
   * Sends a request until it succeeds or must not be sent again; returns the answer.
   *
   * @throws PayorchError by its class, or ArgumentError if nothing was sent because an argument is wrong.
   */
  async call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    settings: CallSettings = {},
  ): Promise<MessageShape<Output>> {
    const call = await this.#prepared(method, outgoing(method.input, request), settings);
    const link = this.#settings.links.take();
    try {
      const answer = await this.#attempts(link, call);
      return withRequestId(method.output, answer as MessageShape<Output>, call.requestId);
    } catch (error) {
      // Whatever else went wrong does not hide that an earlier attempt is in doubt.
      throw call.loop.doubt && !(error instanceof PayorchError) ? this.#failure(call, error) : error;
    } finally {
      this.#settings.links.giveBack(link);
    }
  }

  /** Closes the channels; an attempt in progress continues, and none follows it. */
  close(): void {
    this.#closing.abort();
    this.#settings.links.close();
  }

  async #prepared(method: DescMethod, sent: Outgoing, { deadlineMs, trackId, signal }: CallSettings): Promise<Call> {
    if (this.#closing.signal.aborted) {
      throw new ArgumentError("client: it is closed");
    }
    const { resend: policy, budget, timing, token } = this.#settings;
    const lastsMs = deadlineMs ?? policy?.withinMs ?? DEADLINE_MS;
    if (!(Number.isFinite(lastsMs) && lastsMs > 0)) {
      throw new ArgumentError(`deadlineMs: ${lastsMs} is not a positive number of milliseconds`);
    }
    const tracked = trackId === undefined ? {} : { "zuora-track-id": checkedTrackId(trackId) };
    const deadline = timing.monotonicMs() + lastsMs;
    const loop = new ResendLoop({ policy, budget, timing, deadlineMs: deadline, canRefresh: token !== undefined });
    return { ...sent, method, loop, signal, metadata: { ...(await traceContext()), ...tracked } };
  }

  async #attempts(link: Link, call: Call): Promise<Message> {
    let token = await this.#token(call, false);
    for (;;) {
      const result = await this.#attempt(link.channel, call, token);
      if (result.answer !== undefined) {
        this.#settings.budget.succeeded();
        return result.answer;
      }
      token = await this.#beforeNext(call, result.error, result.cause, token);
    }
  }

  async #attempt(channel: Channel, call: Call, token: string): Promise<Result> {
    const signals = [call.signal, this.#closing.signal];
    const why = await until(whyNotConnected(channel), call.loop.remainingMs(), signals);
    if (signals.some((signal) => signal?.aborted)) {
      throw this.#givenUp(call);
    }
    if (why !== undefined || call.loop.remainingMs() === 0) {
      return { error: notConnected(this.#settings.endpoint, why === ENDED ? "" : (why ?? "")) };
    }
    return attempted(channel, call, token);
  }

  /** Waits as long as the next attempt has to; returns its token. */
  async #beforeNext(call: Call, error: CallError, failure: unknown, token: string): Promise<string> {
    const next = call.loop.after(error);
    const cause = call.signal?.aborted ? call.signal.reason : failure;
    if (next.kind === "end" || this.#closing.signal.aborted) {
      throw this.#failure(call, cause);
    }
    if (next.kind === "wait and send") {
      this.#log(call, error, next.waitMs);
      await pause(this.#settings.timing.pauseMs(next.waitMs), [call.signal, this.#closing.signal]);
      return this.#token(call, false);
    }
    this.#log(call, error, 0);
    const fresh = await this.#token(call, true);
    if (fresh === token) {
      throw this.#failure(call, cause);
    }
    return fresh;
  }

  /** Returns the token of a send; empty where there is no supplier. */
  async #token(call: Call, refresh: boolean): Promise<string> {
    if (call.signal?.aborted || this.#closing.signal.aborted) {
      throw this.#givenUp(call);
    }
    const { token } = this.#settings;
    if (token === undefined) {
      return "";
    }
    // The supplier may also throw before it returns a promise.
    const supplied = Promise.resolve(refresh).then(token);
    const found = await until(supplied, call.loop.remainingMs(), [call.signal, this.#closing.signal]);
    if (found === ENDED) {
      throw this.#givenUp(call);
    }
    return checkedToken(found);
  }

  /** Returns the error of a call that ends between two attempts, or before the first. */
  #givenUp(call: Call): PayorchError {
    const { signal, loop } = call;
    if (loop.attempts.length === 0) {
      loop.after(
        signal?.aborted || this.#closing.signal.aborted
          ? notSent(status.CANCELLED, "the call was given up before it was sent")
          : notSent(status.DEADLINE_EXCEEDED, "the supplier of tokens gave none in time"),
      );
    }
    return this.#failure(call, signal?.aborted ? signal.reason : undefined);
  }

  #failure({ loop, requestId }: Call, cause: unknown): PayorchError {
    const { errorsUrl } = this.#settings;
    return payorchErrorOf({ error: loop.raised(), attempts: loop.attempts, requestId, errorsUrl, cause });
  }

  #log({ method, requestId }: Call, error: CallError, waitMs: number): void {
    const ids = `request id ${requestId}, Track-Id ${error.trackId}`;
    this.#settings.logger.info(
      `${method.name} is sent again in ${Math.ceil(waitMs)} ms after ${nameOf(error)}; ${ids}`,
    );
  }
}

/** Names the request id in an answer where an older service does not. */
function withRequestId<Desc extends DescMessage>(schema: Desc, answer: MessageShape<Desc>, requestId: string) {
  if (schema.field["call"]?.message?.typeName === CallInfoSchema.typeName) {
    const named = answer as unknown as { call?: CallInfo };
    named.call ??= create(CallInfoSchema);
    named.call.requestId ||= requestId;
  }
  return answer;
}
