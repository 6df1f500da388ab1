/** What was opened, closed in the opposite order: all of it, whatever fails on the way. */

export interface Closers {
  /** @returns what was opened, so that opening and remembering is one expression */
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
