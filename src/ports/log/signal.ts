/** Lets one waiter sleep until something happens, without making a promise for every event. */

export interface Signal {
  /** Resolves at the next `wake`: check the condition, then wait, without an await between the two. */
  wait(): Promise<void>
  wake(): void
}

export function createSignal(): Signal {
  let wakeSleeper: (() => void) | undefined
  return {
    wait: () => new Promise((resolve) => (wakeSleeper = resolve)),
    wake() {
      wakeSleeper?.()
      wakeSleeper = undefined
    },
  }
}
