/** A process that goes on although nothing but timers of its own is to come. */

const LONG_MS = 2 ** 31 - 1

/** Timers keep no process: whoever waits for nothing else would end in the middle. Until `release`, this one goes on. */
export function keepProcess(): { release(): void } {
  const handle = setInterval(() => undefined, LONG_MS)
  return { release: () => clearInterval(handle) }
}
