/** What a worker asks and tells about its partitions where several processes share them. */

import type { IdSource } from '../../core/ids.ts'
import type { Store } from '../../ports/store/store.ts'
import { loadHighestId, saveHighestId } from '../horizon/highest-id.ts'
import type { Follower } from './follower.ts'
import type { Ownership } from '../worker/ownership.ts'
import type { LaneNews } from './lane-news.ts'
import type { ModeParts } from './mode.ts'
import type { ProgressTeller } from './progress.ts'
import type { ViewShared } from './view-shared.ts'

export interface SharedOwnershipOptions {
  readonly store: Store
  readonly ids: IdSource
  readonly views: readonly ViewShared[]
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

const CHECKPOINT_MS = 5_000

export function createSharedOwnership(options: SharedOwnershipOptions): Ownership {
  const { store, ids, views, teller, news, startedAt, parts, follower, onFatal } = options

  return {
    checkpointMs: CHECKPOINT_MS,
    async gained(partitions) {
      const saved = await loadHighestId(store, ids)
      for (const view of views) await view.adopt(partitions, saved(view.spec.name, view.entries.lanes))
      await parts()?.gained(partitions)
    },
    // Events that were projected earlier and are not in this process's caches are read again, too.
    startAt: (partition, watermark) =>
      Math.min(watermark, Math.max(startedAt(partition), parts()?.appliedTo(partition) ?? 0)),
    owned(partition, from) {
      for (const { savePoints } of views) savePoints.begin(partition, from)
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
    async viewDone(name, done) {
      const view = views.find(({ spec }) => spec.name === name)
      for (const { partition, next, ids: own } of done) {
        const highestId = own.reduce((highest, id) => Math.max(highest, id), 0)
        view?.savePoints.reacted(partition, next, highestId)
      }
    },
    done: () => undefined,
    savable: (partition, reacted) =>
      views.reduce(
        (least, { savePoints, horizon }) =>
          Math.min(least, savePoints.upTo(partition, horizon.published[partition])),
        reacted,
      ),
    async beforeCheckpoint() {
      const owned = parts()?.worker.owned ?? new Set<number>()
      // A process that was frozen would take back what others have saved meanwhile.
      if (owned.size === 0 || !options.isSure()) return
      const lanesOf = ({ horizon }: ViewShared) =>
        new Map(Array.from(owned, (lane) => [lane, horizon.published[lane]]))
      await saveHighestId(store, ids, new Map(views.map((view) => [view.spec.name, lanesOf(view)])))
    },
  }
}
