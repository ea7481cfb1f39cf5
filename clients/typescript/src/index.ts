/**
 * Client of the payorch payment orchestration service. The messages are in `@payorch/client/v1`, a double of the
 * service for your tests in `@payorch/client/testing`.
 *
 * Sending the same request with the same request id again is always safe; a new one means a new intent.
 *
 * @packageDocumentation
 */
export { callErrorOf, type CallError, type FieldViolation } from "./call-error.js";
export { serviceConfig } from "./channel.js";
export {
  connect,
  connectDiagnostics,
  type Client,
  type Closing,
  type ConnectOptions,
  type DiagnosticsClient,
} from "./client.js";
export {
  ArgumentError,
  NotSentError,
  OutcomeUnknownError,
  PartialError,
  PayorchError,
  RefusedError,
  type Failure,
} from "./errors.js";
export { newRequestId } from "./identifiers.js";
export type { Logger } from "./logger.js";
export { redacted } from "./redaction.js";
export type { Resend } from "./resend.js";
export type { CallSettings } from "./sender.js";
export type { TlsOptions } from "./tls.js";
export type { TokenSource } from "./token.js";
export { applePayToken, decimalOf, money } from "./values.js";
/** Of grpc-js: the values of `code`. */
export { status } from "@grpc/grpc-js";
