/**
 * Tells the operator when no worker reports progress. API processes accept writes without a worker, so nothing else would
 * say why writers wait until their deadline.
 */

import type { Env } from '../../ports/env/env.ts'

const LOOK_MS = 5_000
const SILENT_MS = 15_000

export interface WorkerWatch {
  start(): void
  /** A worker has reported progress. */
  heard(): void
  close(): void
}

export function createWorkerWatch(env: Env, onNotice: (text: string) => void): WorkerWatch {
  let heardAtMs = env.monotonicMs()
  let isTold = false
  let timer: { cancel(): void } | undefined

  function look(): void {
    const isSilent = env.monotonicMs() - heardAtMs > SILENT_MS
    if (isSilent && !isTold) {
      onNotice(
        `no worker has reported progress for ${SILENT_MS / 1_000} s, so writes take no effect; check that one is running (rivulet serve --role worker)`,
      )
    }
    isTold = isSilent
    timer = env.timer(LOOK_MS, look)
  }

  return {
    start() {
      timer = env.timer(LOOK_MS, look)
    },
    heard() {
      heardAtMs = env.monotonicMs()
    },
    close: () => timer?.cancel(),
  }
}
