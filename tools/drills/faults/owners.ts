/** How many partitions of the log each worker owns, by its own metrics. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from '../server.ts'

export const OPEN_PLANS = 'rivulet_fanout_open_plans'
export const CHUNKS = 'rivulet_fanout_chunks_total'
const PARTITIONS = 'rivulet_worker_partitions'
const LOOK_MS = 20

/** `undefined` while the server does not answer. */
export const ownedBy = (server: Server): Promise<number | undefined> => server.metric(PARTITIONS)

/** Waits until `isSo`. @returns how long that took, or `undefined` if it took longer than `withinMs` */
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

/** The number of partitions that these servers own together. */
export async function ownedByAll(servers: readonly Server[]): Promise<number> {
  const owned = await Promise.all(servers.map(ownedBy))
  return owned.reduce<number>((sum, each) => sum + (each ?? 0), 0)
}

/**
 * Watches two workers that both claim partitions.
 * @param all the worker that has taken over all partitions
 * @returns how many partitions `one` claimed while `all` still claimed all of them, and until when
 */
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
