/** Keeps a process alive while it waits only for timers of the `env` port, which do not do so themselves. */

const LONG_MS = 2 ** 31 - 1

/** Without it, Node.js would end a process in the middle of waiting for such a timer. */
export function keepProcess(): { release(): void } {
  const handle = setInterval(() => undefined, LONG_MS)
  return { release: () => clearInterval(handle) }
}
