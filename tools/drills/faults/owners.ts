/** Who owns how much of the log, as the workers say themselves. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from '../server.ts'

export const OPEN_PLANS = 'rivulet_fanout_open_plans'
export const CHUNKS = 'rivulet_fanout_chunks_total'
const PARTITIONS = 'rivulet_worker_partitions'
const LOOK_MS = 20

/** Nothing while it does not answer. */
export const ownedBy = (server: Server): Promise<number | undefined> => server.metric(PARTITIONS)

/** Looks until `isSo`. @returns for how long it was not so, or nothing when it did not come to that in time */
export async function waitUntil(
  withinMs: number,
  isSo: () => Promise<boolean>,
  lookMs = LOOK_MS,
): Promise<number | undefined> {
  const startMs = performance.now()
  while (performance.now() - startMs < withinMs) {
    if (await isSo()) return performance.now() - startMs
    await sleep(lookMs)
  }
  return undefined
}

/** Of all these together. */
export async function ownedByAll(servers: readonly Server[]): Promise<number> {
  const owned = await Promise.all(servers.map(ownedBy))
  return owned.reduce<number>((sum, each) => sum + (each ?? 0), 0)
}

/** How many partitions one still says it owns when another one, which owns all, is asked next; and until when. */
export async function sharedFor(one: Server, all: Server, forMs: number) {
  const startMs = performance.now()
  const partitions = (await ownedBy(all)) ?? 0
  let most = 0
  let untilMs = 0
  while (performance.now() - startMs < forMs) {
    const owned = (await ownedBy(one)) ?? 0
    if (owned > 0 && (await ownedBy(all)) === partitions) {
      most = Math.max(most, owned)
      untilMs = performance.now() - startMs
    }
    await sleep(LOOK_MS)
  }
  return { most, untilMs }
}
