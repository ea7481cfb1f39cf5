/** The clocks and the chance that a client uses, in one place so that tests can replace them. */
export interface Timing {
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  /** Milliseconds since 1970, to compare with what the service names. */
  readonly unixMs: () => number;
  /** A random number between two. */
  readonly uniform: (low: number, high: number) => number;
  /** How long a wait of so many milliseconds really takes; a test double makes it none. */
  readonly pauseMs: (waitMs: number) => number;
}

/** The clocks of the process. */
export const SYSTEM: Timing = {
  monotonicMs: () => performance.now(),
  unixMs: () => Date.now(),
  uniform: (low, high) => low + Math.random() * (high - low),
  pauseMs: (waitMs) => waitMs,
};
