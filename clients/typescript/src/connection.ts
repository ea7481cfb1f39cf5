import { connectivityState, Metadata, status, type Client as Channel, type ServiceError } from "@grpc/grpc-js";
import { notSent, type CallError } from "./call-error.js";

/** It moves nothing, and needs no token. Its error says why there is no connection. */
const PROBE = "/grpc.health.v1.Health/Check";
const PROBE_MS = 1_000;

/** What a client connects to, as far as it matters for what may be wrong. */
export interface Endpoint {
  readonly target: string;
  readonly plaintext: boolean;
  readonly showsCertificate: boolean;
}

/**
 * Returns the error of a call that was never started for want of a connection.
 *
 * A call is started only on a connection that is ready, so a call without one was provably never sent. What gRPC says
 * of a call that was started proves nothing.
 *
 * @param text - What grpc-js says of the connection; empty: nothing yet.
 */
export function notConnected(endpoint: Endpoint, text: string): CallError {
  const hint = hintOf(endpoint, text);
  const because = hint && `: ${hint}`;
  const said = text && ` [gRPC: ${text}]`;
  return notSent(status.UNAVAILABLE, `no connection to ${endpoint.target}${because}${said}`, hint);
}

/** Returns why a channel is not connected, once that is clear; undefined if it is. */
export async function whyNotConnected(channel: Channel): Promise<string | undefined> {
  if (await isReady(channel)) {
    return undefined;
  }
  const why = await whyNotReady(channel);
  return (await isReady(channel)) ? undefined : why;
}

/** Waits until a channel is connected, or fails to be; returns whether it is. */
async function isReady(client: Channel): Promise<boolean> {
  const channel = client.getChannel();
  for (;;) {
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.READY) {
      return true;
    }
    if (state === connectivityState.SHUTDOWN) {
      return false;
    }
    channel.getConnectivityState(true);
    if (state === connectivityState.TRANSIENT_FAILURE) {
      return false;
    }
    await new Promise<unknown>((changed) => channel.watchConnectivityState(state, Infinity, changed));
  }
}

/** Returns what grpc-js says of a channel that is not connected; empty if it says nothing in time. */
function whyNotReady(channel: Channel): Promise<string> {
  const asIs = (bytes: Buffer) => bytes;
  const options = { deadline: Date.now() + PROBE_MS };
  return new Promise<string>((resolve) => {
    const answered = (error: ServiceError | null) =>
      resolve(error?.code === status.UNAVAILABLE ? essenceOf(error.details) : "");
    channel.makeUnaryRequest(PROBE, asIs, asIs, Buffer.alloc(0), new Metadata(), options, answered);
  }).catch(() => ""); // an interceptor that throws
}

/** Returns what is said of the last failure, without what each level of load balancing puts around it. */
function essenceOf(text: string): string {
  return text
    .replace(/^.*Last error: (?:Error: )?/s, "")
    .replace(/\.? Resolution note: .*$/s, "")
    .replace(/\s+/g, " ")
    .trim();
}

function hintOf(endpoint: Endpoint, text: string): string {
  const known: readonly [RegExp, string][] = [
    [/^$/, "it was not made in time"],
    [/ECONNREFUSED/, "nothing listens there; check host and port"],
    [
      /wrong version number|packet length too long/i,
      "the server speaks no TLS; plaintext: true connects without, if that is intended",
    ],
    [/Hostname\/IP does not match/, "the server's certificate is for another host name"],
    [/certificate required|bad certificate/i, hintOfClosing(endpoint)],
    [/certificate/i, "the server's certificate is not trusted; name its authority with tls: { caFile: ... }"],
    [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, "the host name is not known"],
    [/ECONNRESET|disconnected|closed|Failed to connect/i, hintOfClosing(endpoint)],
  ];
  return known.find(([piece]) => piece.test(text))?.[1] ?? "";
}

function hintOfClosing({ plaintext, showsCertificate }: Endpoint): string {
  if (plaintext) {
    return "the server closed it at once, as one that speaks TLS does; connect without plaintext: true";
  }
  if (showsCertificate) {
    return "the server closed it at once; it may not accept the client's certificate";
  }
  return "the server closed it at once; it may require a client certificate";
}
