/**
 * Everything that makes a run differ from the next: clock, randomness, timers.
 *
 * Promises: `monotonicMs` never goes back. `yield` lets pending I/O and other tasks go first.
 * Does not promise: that `wallMs` is right or moves forward; that a timer is punctual.
 */
export interface Env {
  /** Milliseconds since 1970. May jump: never measure a duration with it. */
  wallMs(): number
  /** Milliseconds since an arbitrary start, with fractions. */
  monotonicMs(): number
  /** In [0, 1). */
  random(): number
  randomBytes(size: number): Uint8Array
  /** Calls `task` once after `delayMs`; the timer alone does not keep a process alive. */
  timer(delayMs: number, task: () => void): { cancel(): void }
  yield(): Promise<void>
}
