import { readFileSync } from "node:fs";
import {
  create,
  fromBinary,
  toBinary,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Client as Channel,
  Metadata,
  type CallOptions,
  type ChannelCredentials,
  type ClientOptions,
} from "@grpc/grpc-js";

/** The published gRPC service config: round robin, retries that the contract allows, throttling. */
export const serviceConfig: string = readFileSync(new URL("../service_config.json", import.meta.url), "utf8");

/** What one call takes beside its request: grpc-js's options, such as the deadline, and metadata. */
export interface CallSettings extends CallOptions {
  /** Such as `{ "zuora-track-id": "order-4711" }`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** One function for each RPC. It rejects with grpc-js's ServiceError, which {@link callErrorOf} reads. */
export type Client<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: (
    request: MessageInitShape<Service["method"][Name]["input"]>,
    settings?: CallSettings,
  ) => Promise<MessageShape<Service["method"][Name]["output"]>>;
} & {
  /** Ends the connections; calls under way go on. */
  readonly close: () => void;
};

/**
 * Makes a client. It connects with its first call.
 *
 * @param service - Such as `PaymentOrchestrationService` of `@payorch/client/v1`.
 * @param target - `host:port`, or any target of grpc-js.
 * @param credentials - Of `@grpc/grpc-js`: `credentials.createSsl()`, for tests `credentials.createInsecure()`.
 * @param options - Of the channel, over those of this package.
 */
export function connect<Service extends DescService>(
  service: Service,
  target: string,
  credentials: ChannelCredentials,
  options: ClientOptions = {},
): Client<Service> {
  const channel = new Channel(target, credentials, {
    "grpc.service_config": serviceConfig,
    // A config that DNS could deliver is not ours.
    "grpc.service_config_disable_resolution": 1,
    // Finds a connection whose other end is gone before a deadline does; the service allows a ping every 10 s.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    ...options,
  });
  const calls = service.methods.map((method) => [method.localName, unary(channel, method)]);
  // What the type says of each method, `unary` does; the compiler cannot follow names made at run time.
  return Object.freeze({ ...Object.fromEntries(calls), close: () => channel.close() }) as Client<Service>;
}

function unary(channel: Channel, method: DescMethod) {
  const path = `/${method.parent.typeName}/${method.name}`;
  const asIs = (bytes: Buffer) => bytes;
  const decoded = (bytes: Buffer) => fromBinary(method.output, bytes);
  return async (
    request: MessageInitShape<typeof method.input>,
    { metadata = {}, ...options }: CallSettings = {},
  ): Promise<MessageShape<typeof method.output>> => {
    const bytes = Buffer.from(toBinary(method.input, create(method.input, request)));
    const sent = new Metadata();
    Object.entries(metadata).forEach(([name, value]) => sent.set(name, value));
    return new Promise((resolve, reject) => {
      channel.makeUnaryRequest(path, asIs, decoded, bytes, sent, options, (error, answer) =>
        answer === undefined ? reject(error) : resolve(answer),
      );
    });
  };
}
