/** Waits until the server does again all it is there for: everybody writes and reads, and nothing lags. */

import { setTimeout as sleep } from 'node:timers/promises'
import { knownToAll, type Load, type World } from './load.ts'
import type { Server } from './server.ts'

const RECOVERY_MS_MAX = 120_000
const PAUSE_MS = 100
/** A probe that takes longer counts as failed; its outcome is recorded all the same. */
const PROBE_MS_MAX = 3_000
/** Under load something is always on its way: then it may not be older than this. */
const LAG_SECONDS_MAX = 2
const LAG_SECONDS = 'rivulet_fanout_lag_seconds'
const LAG_EVENTS = 'rivulet_fanout_lag_events'
const SETTLE_MS_MAX = 60_000

/** @returns the moment at which it was so; nothing if it never was in time */
export async function recovered(
  world: World,
  load: Load,
  servers: readonly Server[],
): Promise<number | undefined> {
  const untilMs = performance.now() + RECOVERY_MS_MAX
  const everybody = world.people.map(({ number }) => number)
  for (let round = 0; performance.now() < untilMs; round++) {
    const one = [round % everybody.length]
    // The many are asked only when one succeeds: probes are no load of their own.
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

/** Of those that are there, each by what it knows itself. */
async function isCaughtUp(servers: readonly Server[]): Promise<boolean> {
  const serving = servers.filter((server) => server.isServing)
  const lags = await Promise.all(serving.map((server) => server.metric(LAG_SECONDS)))
  return serving.length > 0 && lags.every((lag) => lag !== undefined && lag <= LAG_SECONDS_MAX)
}

/** After the load: down to nothing, and known to all. @returns whether it came to that in time */
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
