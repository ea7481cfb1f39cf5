package internal.payorch;

import io.grpc.Metadata;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import java.util.concurrent.Executor;

/** The trace that a call belongs to, where OpenTelemetry's API is on the class path. The same for all its attempts. */
interface TraceContext {
  /** Adds {@code traceparent} and {@code tracestate}. */
  void addTo(Metadata headers);

  /** Returns an executor that runs in this context. */
  Executor wrap(Executor executor);

  /** Returns that of the thread. */
  static TraceContext current() {
    return Presence.FOUND ? new OpenTelemetry(Context.current()) : new None();
  }

  /** Whether there is an API. */
  final class Presence {
    static final boolean FOUND = isFound();

    private Presence() {}

    private static boolean isFound() {
      try {
        Class.forName("io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator");
        return true;
      } catch (ClassNotFoundException | LinkageError e) {
        return false;
      }
    }
  }

  /** Nothing. */
  record None() implements TraceContext {
    @Override
    public void addTo(Metadata headers) {}

    @Override
    public Executor wrap(Executor executor) {
      return executor;
    }
  }

  /** OpenTelemetry's. */
  record OpenTelemetry(Context context) implements TraceContext {
    @Override
    public void addTo(Metadata headers) {
      // Not the global propagators: to ask for them would settle what is global before the application does.
      W3CTraceContextPropagator.getInstance().inject(context, headers, OpenTelemetry::put);
    }

    @Override
    public Executor wrap(Executor executor) {
      return context.wrap(executor);
    }

    private static void put(Metadata headers, String key, String value) {
      headers.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value);
    }
  }
}
