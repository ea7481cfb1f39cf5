/**
 * A double of the service for the tests of its callers: in this process, without Zuora.
 *
 * @packageDocumentation
 */
export { catalogue, type Entry, type FailureOptions, type ReasonName } from "./catalogue.js";
export { FakePayorch, type FailingCalls } from "./fake.js";
export type { RecordedCall, RpcName } from "./recorded.js";
