/** Tells of silent workers: writes are taken without any, and nobody would learn why they are answered so late. */

import type { Env } from '../../ports/env/env.ts'

const LOOK_MS = 5_000
const SILENT_MS = 15_000

export interface WorkerWatch {
  start(): void
  /** A worker has told of progress. */
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
      onNotice('no worker has told of progress for a while; is any running? (rivulet serve --role worker)')
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
