/**
 * Moves the horizon of the partitions that this process owns: samples what every process of the deployment may still
 * append and where the log ends, and writes to the views how far reactors have come since.
 */

import { isRetriable } from '../../core/errors.ts'
import type { IdSource } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Worker } from '../worker/worker.ts'
import type { Members } from './members.ts'
import type { ViewShared } from './view-shared.ts'

export interface PublishingOptions {
  readonly env: Env
  readonly log: Log
  readonly ids: IdSource
  readonly members: Members
  readonly views: () => readonly ViewShared[]
  readonly everyMs: number
  readonly worker: () => Worker | undefined
  /** The horizon has been written to the views: other processes are to be told of progress in these partitions. */
  readonly onPublished: (partitions: ReadonlySet<number>) => void
  readonly onFatal: (error: unknown) => void
}

export interface Publishing {
  start(): void
  publish(): Promise<void>
  /** Samples once more, and publishes. */
  stop(): Promise<void>
}

export function createPublishing(options: PublishingOptions): Publishing {
  const { env, log, ids, members, everyMs, onPublished, onFatal } = options
  let loop: Promise<void> = Promise.resolve()
  let publishing: Promise<void> | undefined
  let isStopped = false
  const owned = (): ReadonlySet<number> => options.worker()?.owned ?? new Set()

  async function sample(): Promise<void> {
    // A process that was frozen sees no other one alive, and no other one sees it.
    if (!members.isSure()) return
    for (const { horizon } of options.views()) horizon.owns(owned())
    const { low, high } = await members.lows()
    ids.observe(high)
    const ends = (await log.bounds()).map(({ end }) => end)
    for (const { horizon } of options.views()) horizon.sampled({ low, ends })
  }

  async function publishNow(): Promise<void> {
    const worker = options.worker()
    if (worker === undefined) return
    for (const view of options.views()) {
      await view.advance(worker.owned, (partition) => worker.viewDoneTo(view.spec.name, partition))
    }
    // Also where nothing has moved: a process whose clock is behind holds the horizon until it learns the time.
    onPublished(worker.owned)
  }

  function publish(): Promise<void> {
    publishing ??= publishNow().finally(() => (publishing = undefined))
    return publishing
  }

  /** An engine that is away only holds the horizon where it is. */
  function heldUp(error: unknown): void {
    if (!isStopped && !isRetriable(error)) onFatal(error)
  }

  async function sampleOften(): Promise<void> {
    while (!isStopped) {
      if (owned().size > 0) await sample().then(publish).catch(heldUp)
      await sleep(env, everyMs)
    }
  }

  return {
    publish,
    start: () => void (loop = sampleOften()),
    async stop() {
      isStopped = true
      await loop.then(sample).then(publish)
    },
  }
}
