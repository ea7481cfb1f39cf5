type Api = typeof import("@opentelemetry/api");

let api: Promise<Api | undefined> | undefined;

/** Returns the trace context of OpenTelemetry, as metadata; nothing where its API is not installed. */
export async function traceContext(): Promise<Record<string, string>> {
  // The package is optional.
  api ??= import("@opentelemetry/api").catch(() => undefined);
  const carried: Record<string, string> = {};
  const { context, propagation } = (await api) ?? {};
  if (context && propagation) {
    propagation.inject(context.active(), carried);
  }
  return carried;
}
