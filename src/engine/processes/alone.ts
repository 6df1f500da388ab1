/**
 * The mode in which one process does all the work: it appends, projects and reacts. Since it knows every event that is
 * under way, its horizon is exact.
 */

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
  /** By lane, the horizon that an earlier process last saved: a timeline from before is intact if it is at or above. */
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
        // An event that may be in the log after all stays unfinished until it is read from there.
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
        // Until this process has published a horizon, the one that it loaded still holds.
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
