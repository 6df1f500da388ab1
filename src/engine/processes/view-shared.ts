/** A named view where several processes share the work: each owner writes the horizon of its own partitions. */

import { ID_MAX } from '../../core/ids.ts'
import { createSavePoints, type SavePoints } from '../horizon/save-points.ts'
import { createHorizonShared, type HorizonShared } from '../horizon/shared.ts'
import type { OpenView, View } from '../view.ts'

export interface ViewShared extends View {
  readonly horizon: HorizonShared
  readonly savePoints: SavePoints
  /** What an earlier process has saved. */
  saved(lanes: ReadonlyMap<number, number>): void
  /** This process is about to own these partitions. @param lanes what their earlier owners have saved */
  adopt(partitions: ReadonlySet<number>, lanes: ReadonlyMap<number, number>): Promise<void>
  /** @param doneTo up to where the reactors that hold the view are done. Writes horizons that have risen */
  advance(partitions: Iterable<number>, doneTo: (partition: number) => number): Promise<void>
}

export interface ViewSharedOptions {
  readonly partitions: number
  readonly laneOf: (key: number) => number
  readonly publish: () => Promise<void>
}

export function createViewShared(
  { spec, entries }: OpenView,
  { partitions, laneOf, publish }: ViewSharedOptions,
): ViewShared {
  const horizon = createHorizonShared(partitions, laneOf)
  const survivors = new Set<number>()
  return {
    spec,
    entries,
    horizon,
    publish,
    savePoints: createSavePoints(partitions),
    survived: (partition) => survivors.has(partition),
    saved(lanes) {
      for (const [lane, id] of lanes) if (id < ID_MAX) horizon.told(lane, id)
    },
    /** Timelines that hold less than the owner before had published have lost entries: they are given up. */
    async adopt(gained, lanes) {
      const told = (lane: number) => Math.max(lanes.get(lane) ?? 0, horizon.published[lane])
      const isAnyLeft = await entries.adopt(new Map(Array.from(gained, (lane) => [lane, told(lane)])))
      for (const partition of gained) {
        if (isAnyLeft) survivors.add(partition)
        else survivors.delete(partition)
      }
    },
    async advance(owned, doneTo) {
      const moved = new Map<number, number>()
      for (const partition of owned) {
        const id = horizon.reached(partition, doneTo(partition))
        if (id > horizon.published[partition]) moved.set(partition, id)
      }
      if (moved.size > 0) await entries.advance(moved)
      for (const [partition, id] of moved) horizon.told(partition, id)
    },
  }
}
