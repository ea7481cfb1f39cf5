/**
 * Client of the payorch payment orchestration service.
 *
 * <p>{@link internal.payorch.PayorchClient} calls the service, {@link internal.payorch.DiagnosticsClient} its listener
 * for operators; {@link internal.payorch.Redaction} is how a message may be shown. Messages and stubs are in {@code
 * internal.payorch.v1}.
 */
package internal.payorch;
