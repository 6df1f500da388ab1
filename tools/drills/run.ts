/** One drill from the first engine to the last check. */

import { setTimeout as sleep } from 'node:timers/promises'
import { checkAll, type Findings } from './check.ts'
import { createClient } from './client.ts'
import type { ClusterHolder } from './cluster.ts'
import type { Drill, Stage } from './drill.ts'
import type { Operation } from './history.ts'
import { makeWorld, startLoad, type Load, type World } from './load.ts'
import { effectOf, measure, type Effect, type Figures, type Window } from './measure.ts'
import { recovered, settled } from './recover.ts'

export interface Outcome {
  readonly drill: Drill
  readonly figures: Figures
  readonly effect: Effect
  /** From the moment it was mended, or from the fault where it heals by itself; the longest of several. */
  readonly recoveryMs: number
  readonly leftOut: number
  readonly findings: Findings
  readonly violations: readonly string[]
}

export interface RunOptions {
  /** Of load, half of it before the fault and half of it after all is well again. */
  readonly seconds: number
  readonly holder: ClusterHolder
  say(line: string): void
}

export async function runDrill(drill: Drill, { seconds, holder, say }: RunOptions): Promise<Outcome> {
  const cluster = await holder.open(drill.nodes ?? {})
  const { server, serverKey } = cluster
  const world = await makeWorld(createClient(server.url, serverKey))
  const load = startLoad(world)
  const windows: Window[] = []
  const recoveries: number[] = []
  const failures: string[] = []
  await sleep((seconds * 1_000) / 2)
  for (let time = 0; time < (drill.times ?? 1); time++) {
    let struckAtMs: number | undefined
    const stage: Stage = {
      ...cluster,
      say,
      struck(what, isSo) {
        if (!isSo) throw new Error(`the fault did not happen: ${what}`)
        struckAtMs = performance.now()
        say(what)
      },
    }
    const { mendedAtMs, recoveryMs } = await strikeAndMend(drill, stage, world, load, () => struckAtMs)
    windows.push({ fromMs: struckAtMs ?? mendedAtMs, toMs: mendedAtMs })
    if (recoveryMs === undefined) failures.push('it did not recover in time')
    else recoveries.push(recoveryMs)
  }
  await sleep((seconds * 1_000) / 2)
  await load.stop()
  if (!(await settled(world))) failures.push('fan-out did not catch up after the load had ended')
  const figures = measure(world.history)
  const effect = effectOf(world.history, windows)
  const isMet = drill.isMet?.(world.history) ?? effect.wasSeen
  if (!isMet) failures.push('the fault did not happen: no operation saw it')
  if (drill.refusesWrites === true) failures.push(...acknowledgedWithin(world, windows))
  failures.push(...server.collapses.map((how) => `the server ${how}`))
  const findings = await checkAll(world)
  const violations = [...failures, ...findings.violations]
  const recoveryMs = Math.max(...recoveries)
  return { drill, figures, effect, recoveryMs, leftOut: load.leftOut, findings, violations }
}

async function strikeAndMend(
  drill: Drill,
  stage: Stage,
  world: World,
  load: Load,
  struckAt: () => number | undefined,
): Promise<{ readonly mendedAtMs: number; readonly recoveryMs: number | undefined }> {
  await drill.strike(stage)
  const struckAtMs = struckAt()
  if (struckAtMs === undefined) throw new Error('the fault did not happen: nobody said so')
  const byItself = drill.healsByItself === true ? await recovered(world, load) : undefined
  if (byItself !== undefined) stage.say(`works again without help after ${seconds(byItself - struckAtMs)}`)
  await sleep(Math.max(0, struckAtMs + drill.lastsMs - performance.now()))
  const mendedAtMs = performance.now()
  await drill.mend(stage)
  stage.say(`mended after ${seconds(performance.now() - struckAtMs)}`)
  const after = await recovered(world, load)
  if (after === undefined) return { mendedAtMs, recoveryMs: undefined }
  stage.say(`all is well ${seconds(after - mendedAtMs)} after mending began`)
  if (drill.healsByItself !== true) return { mendedAtMs, recoveryMs: after - mendedAtMs }
  return { mendedAtMs, recoveryMs: byItself === undefined ? undefined : byItself - struckAtMs }
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

function acknowledgedWithin({ history }: World, windows: readonly Window[]): string[] {
  const writes: readonly Operation[] = [...history.posts, ...history.deletes, ...history.follows]
  const among = writes.filter(
    ({ outcome, startMs, endMs }) =>
      outcome === 'ok' && windows.some(({ fromMs, toMs }) => startMs > fromMs && endMs < toMs),
  )
  return among.length === 0 ? [] : [`${among.length} writes were acknowledged while none could be kept`]
}
