/**
 * Client of the payorch payment orchestration service. The messages are in `@payorch/client/v1`.
 *
 * Every mutating call carries a request id. Sending the same request with the same request id again is always safe; a new
 * one means a new intent.
 *
 * @packageDocumentation
 */
export { connect, serviceConfig, type CallSettings, type Client } from "./client.js";
export { callErrorOf, type CallError, type FieldViolation } from "./errors.js";
/** Of grpc-js, so that no second copy of it is needed: it takes the credentials of its own copy only. */
export { credentials, status } from "@grpc/grpc-js";
