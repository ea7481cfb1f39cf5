import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { fromBinary, toBinary, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type handleUnaryCall,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { clientOf, senderTo, type Client, type ConnectOptions } from "../client.js";
import { SYSTEM } from "../timing.js";
import { Failure, type FailureOptions, type ReasonName } from "./catalogue.js";
import { RPCS, type RecordedCall, type RpcName } from "./recorded.js";
import { Nothing, Script, type Ending } from "./script.js";

/** grpc.health.v1.HealthCheckResponse with the status SERVING. */
const SERVING = Buffer.from([8, 1]);

/** For which calls a failure holds. */
export interface FailingCalls {
  /** How many, after those of earlier failures; 1 unless given. */
  readonly times?: number;
  /** Only calls of this RPC, such as `CreateSession`. */
  readonly rpc?: RpcName;
}

/**
 * A double of the service in this process: idempotent by request id, able to fail with every reason, and it records
 * calls.
 */
export class FakePayorch {
  /** Every call, in the order in which they were answered. */
  readonly calls: RecordedCall[] = [];
  readonly #script = new Script();
  readonly #server = new Server();
  #target = "";

  /** Starts one on a free port of the loopback address. Stop it at the end of the test. */
  static async start(): Promise<FakePayorch> {
    const fake = new FakePayorch();
    const bind = promisify(fake.#server.bindAsync.bind(fake.#server));
    fake.#target = `127.0.0.1:${await bind("127.0.0.1:0", ServerCredentials.createInsecure())}`;
    return fake;
  }

  private constructor() {
    RPCS.forEach((method) => this.#serve(method));
    this.#serveHealth();
  }

  /** What a client connects to, in plaintext. */
  get target(): string {
    return this.#target;
  }

  /** The calls that were executed, each intent once. */
  get executed(): RecordedCall[] {
    return this.calls.filter((call) => call.executed);
  }

  /**
   * Makes the next calls fail as the service does, with the reason's own code, outcome, advice and details.
   *
   * @param reason - Such as `PAYMENT_DECLINED`.
   * @throws ArgumentError if there is no such reason, or it contradicts `executed`.
   */
  failWith(reason: ReasonName, { times = 1, rpc, ...options }: FailureOptions & FailingCalls = {}): void {
    this.#script.plan({ rpc: rpc ?? "", left: times, ending: new Failure(reason, options) });
  }

  /** Makes the next calls fail as with a proxy between client and service: nothing is known of their outcome. */
  failWithoutDetails(
    code: status,
    { times = 1, rpc, message = "" }: FailingCalls & { readonly message?: string } = {},
  ): void {
    this.#script.plan({ rpc: rpc ?? "", left: times, ending: new Nothing(code, message) });
  }

  /** Returns a client of this double; it resends without waiting. */
  connect(options: Omit<ConnectOptions, "tls" | "plaintext"> = {}): Client {
    return clientOf(senderTo(this.#target, { ...options, plaintext: true }, { ...SYSTEM, pauseMs: () => 0 }));
  }

  /** Ends it, and the calls in progress. */
  stop(): void {
    this.#server.forceShutdown();
  }

  /** As `stop`, for `using`. */
  [Symbol.dispose](): void {
    this.stop();
  }

  #serve(method: DescMethodUnary): void {
    const definition = {
      path: `/${method.parent.typeName}/${method.name}`,
      requestStream: false as const,
      responseStream: false as const,
      requestSerialize: (request: Message) => Buffer.from(toBinary(method.input, request)),
      requestDeserialize: (bytes: Buffer): Message => fromBinary(method.input, bytes),
      responseSerialize: (answer: Message) => Buffer.from(toBinary(method.output, answer)),
      responseDeserialize: (bytes: Buffer): Message => fromBinary(method.output, bytes),
    };
    const handle: handleUnaryCall<Message, Message> = (call, respond) => this.#handle(method, call, respond);
    this.#server.addService({ [method.localName]: definition }, { [method.localName]: handle });
  }

  #handle(method: DescMethodUnary, call: ServerUnaryCall<Message, Message>, respond: sendUnaryData<Message>): void {
    const ending = this.#script.answer(method, received(method, call));
    this.calls.push(ending.call);
    reply(ending, respond);
  }

  #serveHealth(): void {
    const asIs = (bytes: Buffer) => bytes;
    const forms = {
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    const check = {
      path: "/grpc.health.v1.Health/Check",
      requestStream: false as const,
      responseStream: false as const,
      ...forms,
    };
    const watch = {
      path: "/grpc.health.v1.Health/Watch",
      requestStream: false as const,
      responseStream: true as const,
      ...forms,
    };
    this.#server.addService(
      { check, watch },
      {
        check: (_call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>) => respond(null, SERVING),
        // It stays open until the caller leaves.
        watch: (call: ServerWritableStream<Buffer, Buffer>) => call.write(SERVING),
      },
    );
  }
}

function received(method: DescMethodUnary, { request, metadata }: ServerUnaryCall<Message, Message>): RecordedCall {
  const texts = Object.entries(metadata.getMap()).filter(([, value]) => typeof value === "string");
  const carried: Record<string, string> = Object.fromEntries(texts) as Record<string, string>;
  const { requestId = "" } = request as unknown as { readonly requestId?: string };
  return {
    rpc: method.name,
    request,
    requestId,
    trackId: carried["zuora-track-id"] ?? `${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}`,
    token: (carried["authorization"] ?? "").replace(/^Bearer /, ""),
    metadata: carried,
    reason: "",
    executed: false,
  } as RecordedCall;
}

function reply({ result, call }: Ending, respond: sendUnaryData<Message>): void {
  if (result instanceof Failure) {
    respond(result.status(call.rpc, call.trackId));
  } else if (result instanceof Nothing) {
    respond({ code: result.code, details: result.message });
  } else {
    const trailer = new Metadata();
    trailer.set("zuora-track-id", call.trackId);
    respond(null, result, trailer);
  }
}
