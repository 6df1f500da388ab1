/** Closes what was opened, in the opposite order, and goes on when one of them fails to close. */

export interface Closers {
  /** Remembers what was opened. @returns it, so that opening and remembering is one expression */
  add<T extends { close(): Promise<unknown> }>(opened: T): T
  /** Closes everything, once; rejects with the first failure. */
  close(): Promise<void>
}

export function createClosers(): Closers {
  const opened: { close(): Promise<unknown> }[] = []
  let closing: Promise<void> | undefined

  async function closeAll(): Promise<void> {
    const failures: unknown[] = []
    for (let one = opened.pop(); one !== undefined; one = opened.pop()) {
      await one.close().catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw failures[0]
  }
  return {
    add(one) {
      opened.push(one)
      return one
    },
    close: () => (closing ??= closeAll()),
  }
}
