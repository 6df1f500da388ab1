/** What a worker asks and tells about its partitions where several processes share them. */

import type { IdSource } from '../../core/ids.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Views } from '../../ports/views/views.ts'
import { loadHighestId, saveHighestId } from '../horizon/highest-id.ts'
import { createSavePoints } from '../horizon/save-points.ts'
import type { HorizonShared } from '../horizon/shared.ts'
import type { Follower } from './follower.ts'
import type { Ownership } from '../worker/ownership.ts'
import type { LaneNews } from './lane-news.ts'
import type { ModeParts } from './mode.ts'
import type { ProgressTeller } from './progress.ts'

export interface SharedOwnershipOptions {
  readonly partitions: number
  readonly store: Store
  readonly views: Views
  readonly ids: IdSource
  readonly horizon: HorizonShared
  readonly teller: ProgressTeller
  readonly news: LaneNews
  /** Others still count this process in. */
  readonly isSure: () => boolean
  /** By partition, where this process began to follow it: rows of everything below stood then. */
  readonly startedAt: (partition: number) => number
  readonly parts: () => ModeParts | undefined
  readonly follower: () => Follower | undefined
  readonly onFatal: (error: unknown) => void
}

export interface SharedOwnership extends Ownership {
  /** Timelines of an earlier owner of the partition live on. */
  survived(partition: number): boolean
}

const CHECKPOINT_MS = 5_000

export function createSharedOwnership(options: SharedOwnershipOptions): SharedOwnership {
  const { store, views, ids, horizon, teller, news, startedAt, parts, follower, onFatal } = options
  const survivors = new Set<number>()
  const savePoints = createSavePoints(options.partitions)

  /** Timelines that hold less than the owner before had published have lost entries: they are given up. */
  async function adopt(partitions: ReadonlySet<number>): Promise<void> {
    const saved = await loadHighestId(store, ids, options.partitions)
    const told = (lane: number) => Math.max(saved.get(lane) ?? 0, horizon.published[lane])
    const isAnyLeft = await views.adopt(new Map(Array.from(partitions, (lane) => [lane, told(lane)])))
    for (const partition of partitions) {
      if (isAnyLeft) survivors.add(partition)
      else survivors.delete(partition)
    }
  }

  return {
    checkpointMs: CHECKPOINT_MS,
    survived: (partition) => survivors.has(partition),
    async gained(partitions) {
      await adopt(partitions)
      await parts()?.gained(partitions)
    },
    // Events that were projected earlier and are not in this process's caches are read again, too.
    startAt: (partition, watermark) =>
      Math.min(watermark, Math.max(startedAt(partition), parts()?.appliedTo(partition) ?? 0)),
    owned(partition, from) {
      savePoints.begin(partition, from)
      follower()?.leave(partition)
      // Writers may wait for progress that the owner before had no time to tell.
      teller.tell(partition)
    },
    lost(partitions) {
      for (const partition of partitions) {
        news.lost(partition)
        const from = parts()?.worker.projectedTo(partition) ?? 0
        follower()?.follow(partition, from).catch(onFatal)
      }
    },
    projected(partition, taken) {
      news.projected(partition, taken)
      teller.tell(partition)
    },
    async viewDone(_view, done) {
      for (const { partition, next, ids: own } of done) {
        const highestId = own.reduce((highest, id) => Math.max(highest, id), 0)
        savePoints.reacted(partition, next, highestId)
      }
    },
    savable: (partition) => savePoints.upTo(partition, horizon.published[partition]),
    async beforeCheckpoint() {
      const owned = parts()?.worker.owned ?? new Set<number>()
      const lanes = new Map(Array.from(owned, (lane) => [lane, horizon.published[lane]]))
      // A process that was frozen would take back what others have saved meanwhile.
      if (lanes.size > 0 && options.isSure()) await saveHighestId(store, ids, lanes)
    },
  }
}
