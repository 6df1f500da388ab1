/** One process does everything: it appends, projects and reacts, and its horizon is exact. */

import { createIdSource } from '../../core/ids.ts'
import { isRivuletError } from '../../core/errors.ts'
import { loadHighestId, saveHighestId } from '../horizon/highest-id.ts'
import { createHorizonAlone } from '../horizon/alone.ts'
import type { Mode, ModeParts, ModePorts } from './mode.ts'

const CHECKPOINT_MS = 30_000

export function createAlone({ env, log, store, views, waiters }: ModePorts): Mode {
  const ids = createIdSource(env.wallMs)
  const horizon = createHorizonAlone(ids, views.lanes)
  let parts: ModeParts | undefined
  let viewsSurvived = false
  /** By lane, the horizon at which every timeline that an earlier process left is intact. */
  let intactFrom = new Map<number, number>()
  const inAllLanes = (id: number) => new Map(Array.from(intactFrom.keys(), (lane) => [lane, id]))
  const publish = () => horizon.publish((id) => views.advance(inAllLanes(id)))

  return {
    ids,
    horizon,
    isShared: false,
    publish,
    lagEvents: () => horizon.unfinished,
    backlogEvents: () => horizon.unfinished,
    caughtUp: () => Promise.resolve(),
    async awaitProjected(key) {
      const partition = log.partitionOf(key)
      await waiters.projected(partition, (await log.bounds())[partition].end - 1)
    },
    survived: () => viewsSurvived,
    skipped: () => undefined,
    append: {
      refusal: () => undefined,
      stamped: (id) => horizon.stamped(id),
      appended: () => undefined,
      failed(id, _key, error) {
        // One that may have entered is done when it is read.
        if (!isRivuletError(error, 'outcome_unknown')) horizon.withdrawn(id)
      },
    },
    ownership: {
      checkpointMs: CHECKPOINT_MS,
      gained: async (partitions) => parts?.gained(partitions),
      startAt: (_partition, watermark) => watermark,
      owned: () => undefined,
      lost: () => undefined,
      projected: () => undefined,
      async viewDone(_view, done) {
        for (const { ids } of done) for (const id of ids) horizon.done(id)
        await publish()
      },
      savable: (_partition, reacted) => reacted,
      async beforeCheckpoint() {
        const [published] = horizon.published
        // Before anything was published, what held at the start holds still.
        await saveHighestId(store, ids, published > 0 ? inAllLanes(published) : intactFrom)
      },
    },
    async prepare() {
      intactFrom = await loadHighestId(store, ids, views.lanes)
      viewsSurvived = await views.adopt(intactFrom)
    },
    async start(given) {
      parts = given
      await parts.worker.start()
      await parts.worker.idle()
    },
    async settle() {
      await parts?.worker.idle()
    },
    async stop() {
      await parts?.worker.stop()
    },
  }
}
