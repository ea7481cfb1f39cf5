import { fromBinary, type DescMethod, type Message } from "@bufbuild/protobuf";
import { Metadata, type Client as Channel } from "@grpc/grpc-js";
import { callErrorOf, type CallError } from "./call-error.js";
import type { Outgoing } from "./request.js";
import type { ResendLoop } from "./resend.js";

/** A call with its attempts. */
export interface Call extends Outgoing {
  readonly method: DescMethod;
  readonly loop: ResendLoop;
  readonly metadata: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** How an attempt ended: an answer, or what is known of its failure with what was thrown, unless it was not started. */
export type Result =
  { readonly answer: Message } | { readonly answer?: undefined; readonly error: CallError; readonly cause?: unknown };

/** Starts an attempt, which from here on may be executed. */
export function attempted(channel: Channel, call: Call, token: string): Promise<Result> {
  const { method, bytes, loop, signal } = call;
  const path = `/${method.parent.typeName}/${method.name}`;
  const asIs = (content: Buffer) => content;
  const decoded = (content: Buffer): Message => fromBinary(method.output, content);
  const options = { deadline: Date.now() + loop.remainingMs() };
  const metadata = metadataOf(call, token);
  return new Promise<Result>((resolve) => {
    const ended = (cause: unknown, answer?: Message) => {
      signal?.removeEventListener("abort", cancel);
      resolve(answer === undefined ? { error: callErrorOf(cause), cause } : { answer });
    };
    const attempt = channel.makeUnaryRequest(path, asIs, decoded, bytes, metadata, options, ended);
    const cancel = () => attempt.cancel();
    signal?.addEventListener("abort", cancel);
  }).catch((cause: unknown) => ({ error: callErrorOf(cause), cause })); // an interceptor that throws
}

function metadataOf(call: Call, token: string): Metadata {
  const metadata = new Metadata();
  Object.entries(call.metadata).forEach(([name, value]) => metadata.set(name, value));
  if (token !== "") {
    metadata.set("authorization", `Bearer ${token}`);
  }
  return metadata;
}
