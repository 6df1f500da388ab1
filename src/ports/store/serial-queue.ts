/** Runs tasks one at a time, in the order in which they were added. After a failure, no more tasks run. */

export abstract class QueuedTask {
  readonly done: Promise<void>
  #resolve!: () => void
  #reject!: (error: unknown) => void

  constructor() {
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Called once, when all tasks before it have ended. */
  abstract run(): Promise<void>

  async runAndSettle(): Promise<void> {
    try {
      await this.run()
      this.#resolve()
    } catch (error) {
      this.#reject(error)
      throw error
    }
  }

  refuse(error: unknown): void {
    this.#reject(error)
  }
}

export interface SerialQueue {
  add<T extends QueuedTask>(task: T): T
  /** The task that was added last, unless it has begun; until then, more work may join it. */
  lastWaiting(): QueuedTask | undefined
}

export function createSerialQueue(): SerialQueue {
  let waiting: QueuedTask[] = []
  let isRunning = false
  let failure: { readonly cause: unknown } | undefined

  async function runAll(): Promise<void> {
    isRunning = true
    try {
      for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await task.runAndSettle()
    } catch (error) {
      failure = { cause: error }
      for (const task of waiting) task.refuse(error)
      waiting = []
    }
    isRunning = false
  }
  return {
    add(task) {
      if (failure !== undefined) {
        task.refuse(failure.cause)
        return task
      }
      waiting.push(task)
      // Begins a microtask later, so that work added in the same turn can join.
      if (!isRunning) {
        isRunning = true
        queueMicrotask(() => void runAll())
      }
      return task
    },
    lastWaiting: () => waiting.at(-1),
  }
}
