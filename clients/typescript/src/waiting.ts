const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What `until` returns if something else came first. */
export const ENDED: unique symbol = Symbol("ended");

/** Waits for something, but no longer than until a time has passed or a signal is aborted. */
export function until<Value>(
  work: Promise<Value>,
  waitMs: number,
  signals: readonly (AbortSignal | undefined)[],
): Promise<Value | typeof ENDED> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void) => {
      clearTimeout(timer);
      signals.forEach((signal) => signal?.removeEventListener("abort", end));
      then();
    };
    const end = () => settle(() => resolve(ENDED));
    const timer = setTimeout(end, Math.min(waitMs, LONGEST_TIMER_MS));
    signals.forEach((signal) => signal?.addEventListener("abort", end));
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    if (signals.some((signal) => signal?.aborted)) {
      end();
    }
  });
}

/** Waits for a time, or until a signal is aborted. */
export async function pause(waitMs: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  await until(new Promise<never>(() => {}), waitMs, signals);
}
