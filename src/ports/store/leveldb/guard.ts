/**
 * Stands between the store and LevelDB. It refuses all calls after a failure or a close, turns the driver's errors into
 * ours, and makes a close wait for calls under way.
 *
 * After one failure the disk is not used again: nobody knows what the failed call has written. The process ends, and
 * after the restart the log replays everything since the checkpoint.
 */

import { isRivuletError, RivuletError } from '../../../core/errors.ts'

export interface Guard {
  /** Neither a failure nor a close has happened. */
  readonly isOpen: boolean
  run<T>(task: () => Promise<T>): Promise<T>
  /** Refuses later calls and waits for those under way. */
  close(): Promise<void>
}

export interface GuardOptions {
  readonly folder: string
  /** Called once, at the first failure. */
  readonly onFatal: (error: RivuletError) => void
}

export function createGuard({ folder, onFatal }: GuardOptions): Guard {
  let refusal: RivuletError | undefined
  let failure: RivuletError | undefined
  let running = 0
  const whenIdle: (() => void)[] = []

  const fail = (cause: unknown): RivuletError => {
    if (failure !== undefined) return failure
    refusal = failure = toFailure(folder, cause)
    onFatal(failure)
    return failure
  }
  return {
    get isOpen() {
      return refusal === undefined
    },
    async run(task) {
      if (refusal !== undefined) throw refusal
      running++
      try {
        return await task()
      } catch (error) {
        throw fail(error)
      } finally {
        if (--running === 0) for (const wake of whenIdle.splice(0)) wake()
      }
    },
    async close() {
      refusal ??= new RivuletError('shutting_down', 'the store is closed')
      if (running > 0) await new Promise<void>((resolve) => whenIdle.push(resolve))
    },
  }
}

export function toFailure(folder: string, cause: unknown): RivuletError {
  const detail = cause instanceof Error ? cause.message : String(cause)
  if (isRivuletError(cause, 'data_corrupt') || levelCode(cause) === 'LEVEL_CORRUPTION') {
    return new RivuletError('data_corrupt', corruptMessage(folder, detail), { cause })
  }
  // A bug of ours. It says nothing about the disk, but what was written is just as unknown.
  if (cause instanceof TypeError || cause instanceof RangeError || isRivuletError(cause)) {
    return new RivuletError('internal', `the store in ${folder} failed: ${detail}`, { cause })
  }
  const message = `the store in ${folder} cannot be read or written (${detail}); check the disk and its free space, then restart`
  return new RivuletError('disk_error', message, { cause })
}

export const corruptMessage = (folder: string, detail: string): string =>
  `the store in ${folder} is damaged (${detail}); nothing was changed. Keep a copy of the folder, then restore it from a backup`

export const levelCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined
