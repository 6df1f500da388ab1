/** Runs drills on one deployment: starts it, puts load on it, strikes and mends once per drill, and checks all promises. */

import { setTimeout as sleep } from 'node:timers/promises'
import { checkAll, type Findings } from './check.ts'
import { createClient } from './client.ts'
import type { Cluster, ClusterHolder, Needs } from './cluster.ts'
import { createCrowd, type Crowd } from './crowd.ts'
import type { Drill, Stage } from './drill.ts'
import type { Operation } from './history.ts'
import { makeWorld, startLoad, type Load, type World } from './load.ts'
import { effectOf, measure, type Effect, type Figures, type Window } from './measure.ts'
import { recovered, settled } from './recover.ts'

export interface Outcome {
  readonly figures: Figures
  readonly effect: Effect
  /** The longest time from the mending to full service, or from the fault to full service where it heals by itself. */
  readonly recoveryMs: number
  readonly leftOut: number
  readonly findings: Findings
  readonly violations: readonly string[]
}

export interface RunOptions {
  /** Seconds of load beside the faults: half before the first one, half after the last recovery. */
  readonly seconds: number
  readonly holder: ClusterHolder
  say(line: string): void
}

/** The state that all drills of a run share. */
interface Run {
  readonly cluster: Cluster
  readonly world: World
  readonly crowd: Crowd | undefined
  readonly load: Load
  readonly windows: Window[]
  readonly recoveries: number[]
  readonly failures: string[]
  say(line: string): void
}

/** @param needs the needs of the deployment, which must be the same for all these drills */
export async function runDrills(
  drills: readonly Drill[],
  needs: Needs,
  { seconds, holder, say }: RunOptions,
): Promise<Outcome> {
  const cluster = await holder.open(needs)
  const clients = cluster.apis.map(({ url }) => createClient(url, cluster.serverKey))
  const world = await makeWorld(clients)
  const crowd = needs.crowd === undefined ? undefined : await createCrowd(clients, needs.crowd)
  const load = startLoad(world)
  const run: Run = { cluster, world, crowd, load, windows: [], recoveries: [], failures: [], say }
  try {
    await sleep((seconds * 1_000) / 2)
    for (const drill of drills) {
      if (drills.length > 1) say(`${drill.name}: ${drill.describe}`)
      await strikeAll(run, drill)
    }
    await sleep((seconds * 1_000) / 2)
  } catch (error) {
    await load.stop()
    throw error
  }
  return finish(run, drills)
}

async function strikeAll(run: Run, drill: Drill): Promise<void> {
  const { cluster, world, crowd, load, say, windows, recoveries, failures } = run
  const { routes } = world
  const patienceMs = routes.patienceMs
  routes.failsOver = drill.failsOverAfterMs !== undefined
  routes.patienceMs = drill.failsOverAfterMs ?? patienceMs
  const own: Window[] = []
  const { track } = load
  const common = { ...cluster, world, crowd, say, track }
  for (let time = 0; time < (drill.times ?? 1); time++) {
    let struckAtMs: number | undefined
    const stage: Stage = {
      ...common,
      struck(what, isSo) {
        if (!isSo) throw new Error(`the fault did not happen: ${what}`)
        struckAtMs ??= performance.now()
        say(what)
      },
    }
    const { mendedAtMs, recoveryMs } = await strikeAndMend(drill, stage, run, () => struckAtMs)
    routes.spread()
    own.push({ fromMs: struckAtMs ?? mendedAtMs, toMs: mendedAtMs })
    if (recoveryMs === undefined) failures.push(`${drill.name}: it did not recover in time`)
    else recoveries.push(recoveryMs)
  }
  Object.assign(routes, { failsOver: false, patienceMs })
  windows.push(...own)
  // Operations that were under way during the fault show whether it had any effect.
  const met = drill.isMet?.(world.history)
  if (!(met ?? effectOf(world.history, own).wasSeen))
    failures.push(`${drill.name}: the fault had no effect on any operation`)
  if (drill.refusesWrites === true) failures.push(...acknowledgedWithin(world, own))
}

async function finish(run: Run, drills: readonly Drill[]): Promise<Outcome> {
  const { cluster, world, crowd, load, windows, recoveries, failures, say } = run
  const { history } = world
  const report = (line: string) => void failures.push(line)
  await load.stop()
  if (!(await settled(world, cluster.servers))) report('fan-out did not catch up after the load had ended')
  if (crowd !== undefined && !(await crowd.settled())) report('a large fan-out did not come to its end')
  const figures = measure(history)
  const effect = effectOf(history, windows)
  const stage: Stage = { ...cluster, world, crowd, say, track: load.track, struck: () => undefined }
  for (const drill of drills) await drill.check?.(stage, report)
  const findings = await checkAll(world)
  await crowd?.check(report)
  for (const { name, collapses } of cluster.servers) for (const how of collapses) report(`${name} ${how}`)
  const violations = [...failures, ...findings.violations]
  const recoveryMs = Math.max(...recoveries)
  return { figures, effect, recoveryMs, leftOut: load.leftOut, findings, violations }
}

async function strikeAndMend(
  drill: Drill,
  stage: Stage,
  { world, load, cluster: { servers } }: Run,
  struckAt: () => number | undefined,
): Promise<{ readonly mendedAtMs: number; readonly recoveryMs: number | undefined }> {
  await drill.strike(stage)
  const struckAtMs = struckAt()
  if (struckAtMs === undefined)
    throw new Error('the fault did not happen: the drill has not proved it with `struck`')
  const byItself = drill.healsByItself === true ? await recovered(world, load, servers) : undefined
  if (byItself !== undefined) stage.say(`works again without help after ${seconds(byItself - struckAtMs)}`)
  await sleep(Math.max(0, struckAtMs + drill.lastsMs - performance.now()))
  const mendedAtMs = performance.now()
  await drill.mend(stage)
  stage.say(`mended after ${seconds(performance.now() - struckAtMs)}`)
  const after = await recovered(world, load, servers)
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
  return among.length === 0
    ? []
    : [`${among.length} writes were acknowledged while the fault made that impossible`]
}
