/** Limits how many tasks run at a time. Further tasks wait, and begin in the order of their calls. */

export function createTurns(tasksMax: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let running = 0

  return async (task) => {
    if (running >= tasksMax) await new Promise<void>((resolve) => void waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      // The task that has waited longest takes over this one's place, so `running` stays the same.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
