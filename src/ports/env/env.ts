/**
 * The port `env`: clock, randomness and timers, that is everything that makes one run differ from the next. With the
 * simulated one, a test repeats a run from its seed.
 *
 * Promises
 * - `monotonicMs` never goes back.
 * - `yield` lets pending I/O and other tasks go first.
 *
 * Does not promise
 * - That `wallMs` is right, or that it only moves forward.
 * - That a timer is punctual.
 */
export interface Env {
  /** Milliseconds since 1970. May jump in both directions: do not measure durations with it. */
  wallMs(): number
  /** Milliseconds since an arbitrary start, with fractions. */
  monotonicMs(): number
  /** In [0, 1). */
  random(): number
  randomBytes(size: number): Uint8Array
  /** Calls `task` once after `delayMs`. A pending timer does not keep the process alive. */
  timer(delayMs: number, task: () => void): { cancel(): void }
  yield(): Promise<void>
}
