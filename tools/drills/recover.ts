/** Waits until a deployment has recovered: all people can write and read, and fan-out does not lag. */

import { setTimeout as sleep } from 'node:timers/promises'
import { knownToAll, type Load, type World } from './load.ts'
import type { Server } from './server.ts'

const RECOVERY_MS_MAX = 120_000
const PAUSE_MS = 100
/** A probe that takes longer counts as failed; its outcome is recorded all the same. */
const PROBE_MS_MAX = 3_000
/** Under load some events are always on their way; the oldest may not be older than this. */
const LAG_SECONDS_MAX = 2
const LAG_SECONDS = 'rivulet_fanout_lag_seconds'
const LAG_EVENTS = 'rivulet_fanout_lag_events'
const SETTLE_MS_MAX = 60_000

/** @returns the moment of the recovery, or `undefined` if there was none in time */
export async function recovered(
  world: World,
  load: Load,
  servers: readonly Server[],
): Promise<number | undefined> {
  const untilMs = performance.now() + RECOVERY_MS_MAX
  const everybody = world.people.map(({ number }) => number)
  for (let round = 0; performance.now() < untilMs; round++) {
    const one = [round % everybody.length]
    // All people are asked only after one has succeeded, so that probes add little load.
    if (
      (await isCaughtUp(servers)) &&
      (await works(world, load, one)) &&
      (await works(world, load, everybody))
    )
      return performance.now()
    await sleep(PAUSE_MS)
  }
  return undefined
}

async function works({ operations }: World, load: Load, numbers: readonly number[]): Promise<boolean> {
  const writes = numbers.map(async (number) => (await operations.post(number)).outcome === 'ok')
  const reads = numbers.map(async (number) => {
    const { pages } = await operations.read(number, 1)
    return pages.at(-1)?.isComplete === true
  })
  const probes = [...writes, ...reads]
  for (const probe of probes) load.track(probe)
  const late = sleep(PROBE_MS_MAX).then(() => [false])
  return (await Promise.race([Promise.all(probes), late])).every((isGood) => isGood)
}

/** Whether no running server reports a lag above the limit. */
async function isCaughtUp(servers: readonly Server[]): Promise<boolean> {
  const serving = servers.filter((server) => server.isServing)
  const lags = await Promise.all(serving.map((server) => server.metric(LAG_SECONDS)))
  return serving.length > 0 && lags.every((lag) => lag !== undefined && lag <= LAG_SECONDS_MAX)
}

/**
 * After the load: waits until no event is on its way, and every process knows all that was written.
 * @returns whether that was in time
 */
export async function settled(world: World, servers: readonly Server[]): Promise<boolean> {
  const untilMs = performance.now() + SETTLE_MS_MAX
  while (performance.now() < untilMs) {
    const serving = servers.filter((server) => server.isServing)
    const lags = await Promise.all(serving.map((server) => server.metric(LAG_EVENTS)))
    if (lags.every((lag) => lag === 0)) return knownToAll(world).then(() => true)
    await sleep(PAUSE_MS)
  }
  return false
}
