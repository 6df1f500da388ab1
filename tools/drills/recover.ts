/** Waits until the server does again all it is there for: everybody writes and reads, and nothing lags. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Load, World } from './load.ts'

const RECOVERY_MS_MAX = 150_000
const PAUSE_MS = 100
/** A probe that takes longer counts as failed; its outcome is recorded all the same. */
const PROBE_MS_MAX = 2_000
export const LAG = 'rivulet_fanout_lag_events'

/** @returns the moment at which it was so; nothing if it never was in time */
export async function recovered(world: World, load: Load): Promise<number | undefined> {
  const untilMs = performance.now() + RECOVERY_MS_MAX
  const everybody = world.people.map(({ number }) => number)
  for (let round = 0; performance.now() < untilMs; round++) {
    const one = [round % everybody.length]
    // The many are asked only when one succeeds: probes are no load of their own.
    if ((await works(world, load, one)) && (await works(world, load, everybody)) && (await isCaughtUp(world)))
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

/** Under load there is always something on its way: it must come down to nothing at some moment. */
async function isCaughtUp({ client }: World): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    if ((await client.metric(LAG)) === 0) return true
    await sleep(PAUSE_MS / 2)
  }
  return false
}
