// Calls carry the trace context of OpenTelemetry, of which the real parts run here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { trace } from "@opentelemetry/api";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { started } from "./servers.js";

const SESSION = { flow: { case: "storeOnly", value: {} } };

test("a call without a span carries no trace context", async (context) => {
  const payorch = await started(context);
  await payorch.connect().createSession(SESSION);

  assert.equal(payorch.calls[0].metadata.traceparent, undefined);
});

test("every attempt of a call carries the context of its span", async (context) => {
  new NodeTracerProvider().register();
  context.after(() => trace.disable());
  const payorch = await started(context);
  payorch.failWith("OVERLOADED");
  const { traceId, spanId } = await trace.getTracer("test").startActiveSpan("paying", async (span) => {
    await payorch.connect({ token: async () => "token" }).createSession(SESSION);
    span.end();
    return span.spanContext();
  });

  assert.deepEqual(
    payorch.calls.map(({ metadata }) => metadata.traceparent),
    Array(2).fill(`00-${traceId}-${spanId}-01`),
  );
});
