import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientOptions, Interceptor } from "@grpc/grpc-js";
import { channelOptions, channelTo, serviceConfig, withoutHealth } from "./channel.js";
import { ArgumentError, ERRORS_URL } from "./errors.js";
import {
  DiagnosticsService,
  type ExplainRouteRequestSchema,
  type ExplainRouteResponse,
  type GetCallRequestSchema,
  type GetCallResponse,
  type GetQuotaRequestSchema,
  type GetQuotaResponse,
} from "./gen/payorch/v1/diagnostics_service_pb.js";
import {
  PaymentOrchestrationService,
  type CreatePaymentMethodRequestSchema,
  type CreatePaymentMethodResponse,
  type CreateSessionRequestSchema,
  type CreateSessionResponse,
  type DecryptApplePayRequestSchema,
  type DecryptApplePayResponse,
  type GetIntentRequestSchema,
  type GetIntentResponse,
} from "./gen/payorch/v1/payment_orchestration_service_pb.js";
import { Links } from "./links.js";
import { PROCESS_LOGGER, type Logger } from "./logger.js";
import { Budget, checkedResend, type Resend } from "./resend.js";
import { Sender, type CallSettings } from "./sender.js";
import { checkedTarget } from "./target.js";
import { SYSTEM, type Timing } from "./timing.js";
import { Tls, type TlsOptions } from "./tls.js";
import type { TokenSource } from "./token.js";

/** How a client connects and what it does with each call. */
export interface ConnectOptions {
  /**
   * What to trust and to show; unless given, Node.js's own authorities, and no certificate. Renewed files are read
   * again.
   */
  readonly tls?: TlsOptions | undefined;
  /** Whether to do without TLS, on this machine or in a mesh. */
  readonly plaintext?: boolean | undefined;
  /** Returns the caller's JSON Web Token. */
  readonly token?: TokenSource | undefined;
  /** When a call is sent again; false: by the retries of the service config alone. */
  readonly resend?: Partial<Resend> | false | undefined;
  /** Where the texts of errors link to: your copy of docs/errors.md. */
  readonly errorsUrl?: string | undefined;
  /** JSON of a gRPC service config; the published one unless given. */
  readonly serviceConfig?: string | undefined;
  /** Further options of grpc-js's channel, over those of this package. */
  readonly channelOptions?: ClientOptions | undefined;
  /**
   * grpc-js's client interceptors. They see every attempt, and grpc.health.v1.Health/Check where the client finds out
   * why there is no connection.
   */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /** Where resends and renewed certificates are reported; unless given, see NODE_DEBUG=payorch. */
  readonly logger?: Logger | undefined;
}

/** What both clients have: an end. */
export interface Closing {
  /** Ends the connections. Attempts in progress continue; none follows them. */
  close(): void;
  /** As `close`, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * Calls the service. Close it, or declare it with `using`.
 *
 * No request is ever changed. Calls reject with a {@link PayorchError} by what happened at Zuora, or with an
 * {@link ArgumentError} if an argument is wrong and nothing was sent.
 */
export interface Client extends Closing {
  /**
   * Creates a payment session for Zuora's JavaScript library.
   *
   * Without a request id it gets a fresh one, which the answer names.
   */
  createSession(
    request: MessageInitShape<typeof CreateSessionRequestSchema>,
    settings?: CallSettings,
  ): Promise<CreateSessionResponse>;

  /**
   * Creates a payment method of an Apple Pay token and, if asked, pays an invoice.
   *
   * It needs a request id if it pays an invoice.
   */
  decryptApplePay(
    request: MessageInitShape<typeof DecryptApplePayRequestSchema>,
    settings?: CallSettings,
  ): Promise<DecryptApplePayResponse>;

  /**
   * Creates a payment method and, with an Apple Pay token, pays an invoice if asked.
   *
   * It needs a request id if it pays an invoice.
   */
  createPaymentMethod(
    request: MessageInitShape<typeof CreatePaymentMethodRequestSchema>,
    settings?: CallSettings,
  ): Promise<CreatePaymentMethodResponse>;

  /** Returns what became of an intent, which its request id names; sends nothing to Zuora. */
  getIntent(
    request: MessageInitShape<typeof GetIntentRequestSchema>,
    settings?: CallSettings,
  ): Promise<GetIntentResponse>;
}

/** Asks the service's listener for operators. A {@link PayorchError} says what failed. */
export interface DiagnosticsClient extends Closing {
  /** Explains where a call would go and why. */
  explainRoute(
    request: MessageInitShape<typeof ExplainRouteRequestSchema>,
    settings?: CallSettings,
  ): Promise<ExplainRouteResponse>;

  /** Returns the records of the calls with a Track-Id. */
  getCall(request: MessageInitShape<typeof GetCallRequestSchema>, settings?: CallSettings): Promise<GetCallResponse>;

  /** Returns how much of Zuora's limits is left. */
  getQuota(request: MessageInitShape<typeof GetQuotaRequestSchema>, settings?: CallSettings): Promise<GetQuotaResponse>;
}

/**
 * Returns a client; its first call connects.
 *
 * @param target - `host:port`, each of whose addresses is used in turn, or a target of gRPC with its scheme.
 * @throws ArgumentError if it is no target, a file of `tls` cannot be used, TLS and plaintext are both asked for, or a
 *   token would be sent in plaintext beyond this machine.
 */
export function connect(target: string, options: ConnectOptions = {}): Client {
  return clientOf(senderTo(target, options));
}

/** Returns a client of the listener for operators; arguments and errors are those of {@link connect}. */
export function connectDiagnostics(target: string, options: ConnectOptions = {}): DiagnosticsClient {
  const config = withoutHealth(options.serviceConfig ?? serviceConfig);
  const sender = senderTo(target, { ...options, serviceConfig: config });
  const { explainRoute, getCall, getQuota } = DiagnosticsService.method;
  return {
    explainRoute: (request, settings) => sender.call(explainRoute, request, settings),
    getCall: (request, settings) => sender.call(getCall, request, settings),
    getQuota: (request, settings) => sender.call(getQuota, request, settings),
    ...closing(sender),
  };
}

/** Returns a client that sends with this. */
export function clientOf(sender: Sender): Client {
  const { createSession, decryptApplePay, createPaymentMethod, getIntent } = PaymentOrchestrationService.method;
  return {
    createSession: (request, settings) => sender.call(createSession, request, settings),
    decryptApplePay: (request, settings) => sender.call(decryptApplePay, request, settings),
    createPaymentMethod: (request, settings) => sender.call(createPaymentMethod, request, settings),
    getIntent: (request, settings) => sender.call(getIntent, request, settings),
    ...closing(sender),
  };
}

/** Returns what sends the calls of a client. */
export function senderTo(target: string, options: ConnectOptions, timing: Timing = SYSTEM): Sender {
  const { token, plaintext = false, logger = PROCESS_LOGGER, errorsUrl = ERRORS_URL } = options;
  if (token !== undefined && typeof token !== "function") {
    throw new ArgumentError("token: a function that returns the token is needed");
  }
  const wanted = { tls: options.tls !== undefined, plaintext, withToken: token !== undefined };
  const resolved = checkedTarget(target, wanted);
  const resend = options.resend === false ? undefined : checkedResend(options.resend ?? {});
  const settings = channelOptions({
    serviceConfig: options.serviceConfig ?? serviceConfig,
    resends: resend !== undefined,
    options: { ...(options.interceptors && { interceptors: [...options.interceptors] }), ...options.channelOptions },
  });
  const tls = plaintext ? undefined : new Tls(options.tls ?? {});
  const links = new Links((shown) => channelTo(resolved, settings, shown), tls, timing, logger);
  const endpoint = { target, plaintext, showsCertificate: tls?.showsCertificate ?? false };
  return new Sender({ links, endpoint, token, resend, budget: new Budget(), errorsUrl, logger, timing });
}

function closing(sender: Sender): Closing {
  return { close: () => sender.close(), [Symbol.dispose]: () => sender.close() };
}
