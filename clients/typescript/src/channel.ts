import { readFileSync } from "node:fs";
import { Client as Channel, credentials, type ClientOptions } from "@grpc/grpc-js";
import { ArgumentError } from "./errors.js";
import type { Tls } from "./tls.js";
import { VERSION } from "./version.js";

/** The published gRPC service config: round robin, retries that the contract allows, throttling. */
export const serviceConfig: string = readFileSync(new URL("../service_config.json", import.meta.url), "utf8");

/** Between two pings of a connection in use; the service allows one every 10 s. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Between two attempts to connect. Calls fail meanwhile, and gRPC's own two minutes would make an outage longer. */
const FIRST_RECONNECT_MS = 200;
const LONGEST_RECONNECT_MS = 1_000;
/**
 * Between two resolutions of the name, at least. When all replicas are replaced in a row, only DNS knows the new ones,
 * and gRPC's own 30 s would be an outage of the client.
 */
const RESOLUTIONS_MS = 5_000;

/** What a channel depends on. */
export interface ChannelSettings {
  /** JSON of a gRPC service config. */
  readonly serviceConfig: string;
  /** Whether the client resends calls itself, so that the channel must not. */
  readonly resends: boolean;
  /** Of the caller, over those of this package. */
  readonly options: ClientOptions;
}

/**
 * Returns the service config of the listener for operators, which reports no health.
 *
 * @param config - JSON of a gRPC service config.
 */
export function withoutHealth(config: string): string {
  const { healthCheckConfig: _, ...rest } = parsed(config);
  return JSON.stringify(rest);
}

/**
 * Returns the options of a channel.
 *
 * @throws ArgumentError if the service config is not a JSON object.
 */
export function channelOptions({ serviceConfig, resends, options }: ChannelSettings): ClientOptions {
  return {
    "grpc.service_config": resends ? withoutRetries(serviceConfig) : JSON.stringify(parsed(serviceConfig)),
    // A config that DNS could deliver is not ours.
    "grpc.service_config_disable_resolution": 1,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.initial_reconnect_backoff_ms": FIRST_RECONNECT_MS,
    "grpc.max_reconnect_backoff_ms": LONGEST_RECONNECT_MS,
    "grpc.dns_min_time_between_resolutions_ms": RESOLUTIONS_MS,
    "grpc.primary_user_agent": `payorch-typescript/${VERSION}`,
    ...options,
  };
}

/** Makes a channel, which connects with its first call; without TLS if it is given none. */
export function channelTo(target: string, options: ClientOptions, tls: Tls | undefined): Channel {
  // grpc-js takes members out of the options that it is given.
  return new Channel(target, tls?.credentials() ?? credentials.createInsecure(), { ...options });
}

function withoutRetries(config: string): string {
  const { methodConfig = [], ...rest } = parsed(config);
  const methods = (methodConfig as readonly Record<string, unknown>[]).map(
    ({ retryPolicy: _retry, hedgingPolicy: _hedging, ...method }) => method,
  );
  return JSON.stringify({ ...rest, methodConfig: methods });
}

function parsed(config: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(config);
  } catch {
    // As one that is no object.
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new ArgumentError("serviceConfig: it is not a JSON object");
  }
  return content as Record<string, unknown>;
}
