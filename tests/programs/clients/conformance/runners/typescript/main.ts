// Makes the calls of cases with the TypeScript client: one JSON line per case in, one out. It compares nothing: what is
// right stands in cases.yaml alone.
import { createInterface } from "node:readline";
import { setTimeout as timer } from "node:timers";
import { fromBinary, toBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import {
  ArgumentError,
  connect,
  connectDiagnostics,
  NotSentError,
  OutcomeUnknownError,
  PartialError,
  PayorchError,
  RefusedError,
  status,
  type CallSettings,
  type ConnectOptions,
} from "@payorch/client";
import { AdviceSchema, DiagnosticsService, OutcomeSchema, PaymentOrchestrationService } from "@payorch/client/v1";

interface Connect {
  readonly target: string;
  readonly operators: string;
  readonly plaintext: boolean;
  readonly tls: { readonly ca_file?: string; readonly certificate_file?: string; readonly key_file?: string } | null;
  readonly tokens: readonly string[] | null;
  readonly resend: { readonly attempts: number; readonly within_s: number } | false | null;
}

interface PlannedCall {
  readonly rpc: string;
  readonly request: string;
  readonly deadline_s: number | null;
  readonly track_id: string;
  readonly cancel_after_s: number | null;
  readonly reuse: boolean;
}

const KINDS = [
  [NotSentError, "not_sent"],
  [RefusedError, "refused"],
  [PartialError, "partial"],
  [OutcomeUnknownError, "unknown"],
] as const;

/** Supplies the tokens of a case: the first, and with each refusal the next. */
class Tokens {
  readonly asked: boolean[] = [];
  #left: readonly string[];

  constructor(tokens: readonly string[]) {
    this.#left = tokens;
  }

  readonly supply = async (refresh: boolean): Promise<string> => {
    this.asked.push(refresh);
    if (refresh && this.#left.length > 1) {
      this.#left = this.#left.slice(1);
    }
    return this.#left[0] ?? "";
  };
}

/** Returns the options of `connect`; what a case does not name is left to the client. */
function optionsOf({ plaintext, tls, resend }: Connect, tokens: Tokens | undefined): ConnectOptions {
  return {
    plaintext,
    token: tokens?.supply,
    ...(tls && { tls: { caFile: tls.ca_file, certificateFile: tls.certificate_file, keyFile: tls.key_file } }),
    ...(resend === false && { resend }),
    ...(resend && { resend: { attempts: resend.attempts, withinMs: resend.within_s * 1000 } }),
  };
}

function settingsOf(call: PlannedCall): CallSettings {
  const settings: CallSettings = {
    trackId: call.track_id,
    ...(call.deadline_s !== null && { deadlineMs: call.deadline_s * 1000 }),
  };
  if (call.cancel_after_s === null) {
    return settings;
  }
  const giving = new AbortController();
  timer(() => giving.abort(), call.cancel_after_s * 1000);
  return { ...settings, signal: giving.signal };
}

function nameOf(schema: { readonly value: Record<number, { readonly name: string }> }, value: number): string {
  return schema.value[value]?.name ?? String(value);
}

/** Returns what is seen of an error. */
function failed(error: unknown): object {
  if (error instanceof ArgumentError) {
    return { kind: "argument", text: error.message };
  }
  if (!(error instanceof PayorchError)) {
    throw error;
  }
  const existing = error.callOutcome?.existing;
  return {
    kind: KINDS.find(([kind]) => error instanceof kind)?.[1],
    text: error.message,
    code: status[error.code],
    reason: error.reason,
    outcome: nameOf(OutcomeSchema, error.outcome),
    advice: nameOf(AdviceSchema, error.advice),
    message: error.details,
    hint: error.hint,
    violations: error.violations.map(({ field, rule, description }) => [field, rule, description]),
    metadata: error.metadata,
    retry_delay_s: error.retryDelayMs === undefined ? null : error.retryDelayMs / 1000,
    resend_before: error.resendBeforeTime !== undefined,
    track_id: error.trackId,
    request_id: error.requestId,
    zuora_codes: error.zuoraCodes,
    existing: [existing?.paymentMethodId ?? "", existing?.paymentId ?? ""],
    attempts: error.attempts.length,
  };
}

function base64(schema: DescMessage, message: Message): string {
  return Buffer.from(toBinary(schema, message)).toString("base64");
}

type Call = (request: Message, settings: CallSettings) => Promise<Message>;

async function callsOf(
  connected: Connect,
  calls: readonly PlannedCall[],
  tokens: Tokens | undefined,
): Promise<object[]> {
  const payments = connect(connected.target, optionsOf(connected, tokens));
  const diagnostics = connected.operators
    ? connectDiagnostics(connected.operators, optionsOf(connected, tokens))
    : undefined;
  const clients = { ...payments, ...diagnostics } as unknown as Record<string, Call>;
  const seen: object[] = [];
  let request: Message | undefined;
  for (const call of calls) {
    const method = [...PaymentOrchestrationService.methods, ...DiagnosticsService.methods].find(
      ({ name }) => name === call.rpc,
    );
    if (method === undefined) {
      throw new Error(`no RPC ${call.rpc}`);
    }
    const sent: Message =
      request !== undefined && call.reuse ? request : fromBinary(method.input, Buffer.from(call.request, "base64"));
    request = sent;
    const result = await Promise.resolve()
      .then(() => clients[method.localName]?.(sent, settingsOf(call)))
      .then((answer) => ({ kind: "ok", answer: base64(method.output, answer as Message) }))
      .catch(failed);
    seen.push({ ...result, request_after: base64(method.input, sent) });
  }
  // One that stays open would try for ever to reach the port, which another case may get.
  payments.close();
  diagnostics?.close();
  return seen;
}

async function answerTo(line: string): Promise<object> {
  const { case: name, connect: connected, calls } = JSON.parse(line);
  const tokens = connected.tokens ? new Tokens(connected.tokens) : undefined;
  try {
    connect(connected.target, optionsOf(connected, tokens)).close();
  } catch (error) {
    if (!(error instanceof ArgumentError)) {
      throw error;
    }
    return { case: name, connect_error: error.message, token_calls: [], calls: [] };
  }
  const seen = await callsOf(connected, calls, tokens);
  return { case: name, connect_error: null, token_calls: tokens?.asked ?? [], calls: seen };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answerTo(line)));
}
