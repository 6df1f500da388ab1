/** The life of a worker: running, about to end, stopped or failed, and who waits for it to get somewhere. */

import { isRetriable } from '../../core/errors.ts'

export interface Run {
  /** It goes on, but no longer waits for an engine that is away. */
  readonly isEnding: boolean
  readonly isStopped: boolean
  readonly hasFailed: boolean
  /** While the worker ends, an engine that is away is no failure. */
  isOnlyEnding(error: unknown): boolean
  /** The first failure ends the worker, and is told; later ones follow from it. */
  readonly fail: (error: unknown) => void
  endSoon(): void
  stop(): void
  /** Something has changed: whoever waits looks again. */
  readonly moved: () => void
  /** Resolves when `isSo` holds, and when the worker has stopped; rejects with the failure. */
  until(isSo: () => Promise<boolean> | boolean): Promise<void>
}

export function createRun(onFatal: (error: unknown) => void, onFailed: (error: unknown) => void): Run {
  const waiting: (() => void)[] = []
  let isEnding = false
  let isStopped = false
  let failure: { readonly error: unknown } | undefined

  const isOnlyEnding = (error: unknown): boolean => isEnding && isRetriable(error)

  let moves = 0

  function moved(): void {
    moves++
    for (const wake of waiting.splice(0)) wake()
  }

  return {
    get isEnding() {
      return isEnding || isStopped
    },
    get isStopped() {
      return isStopped
    },
    get hasFailed() {
      return failure !== undefined
    },
    isOnlyEnding,
    fail(error) {
      if (failure !== undefined || isOnlyEnding(error)) return
      failure = { error }
      isStopped = true
      onFailed(error)
      moved()
      onFatal(error)
    },
    endSoon: () => void (isEnding = true),
    stop() {
      isStopped = true
      moved()
    },
    moved,
    async until(isSo) {
      for (;;) {
        if (failure !== undefined) throw failure.error
        const seen = moves
        if (isStopped || (await isSo())) return
        // What has changed while it looked must not be waited for.
        if (moves === seen) await new Promise<void>((resolve) => void waiting.push(resolve))
      }
    },
  }
}
