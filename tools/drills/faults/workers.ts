/** Drills on workers, the processes that project and fan out. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Crowd } from '../crowd.ts'
import type { Drill, Stage } from '../drill.ts'
import type { Server } from '../server.ts'
import { CHUNKS, OPEN_PLANS, ownedBy, ownedByAll, sharedFor, waitUntil } from './owners.ts'
import { isGone, isStopped } from './proofs.ts'

const CROWD = 12_000
const LARGE_POSTS = 5
const PLANNED_WITHIN_MS = 20_000
const TAKEN_WITHIN_MS = 60_000
const OVERLAP_MS = 3_000
const ASKED_BEFORE_MS = 100

/** Posts to the crowd. @returns a worker that is in the middle of the fan-out */
async function midFanout({ workers }: Stage, crowd: Crowd): Promise<{ worker: Server; chunks: number }> {
  const before = await Promise.all(workers.map((worker) => worker.metric(CHUNKS)))
  await Promise.all(Array.from({ length: LARGE_POSTS }, () => crowd.post()))
  const untilMs = performance.now() + PLANNED_WITHIN_MS
  while (performance.now() < untilMs) {
    for (const [at, worker] of workers.entries()) {
      const [plans = 0, chunks = 0] = await Promise.all([worker.metric(OPEN_PLANS), worker.metric(CHUNKS)])
      if (plans > 0 && chunks > (before[at] ?? 0)) return { worker, chunks: chunks - (before[at] ?? 0) }
    }
  }
  throw new Error('the fault did not happen: no worker was caught in the middle of a large fan-out')
}

function crowdOf({ crowd }: Stage): Crowd {
  if (crowd === undefined) throw new Error('this drill needs a crowd')
  return crowd
}

const othersOf = ({ workers }: Stage, worker: Server): Server[] => workers.filter((one) => one !== worker)

async function unfinished(crowd: Crowd): Promise<number> {
  const done = await Promise.all(crowd.posts.map((post) => crowd.isDone(post)))
  return done.filter((isDone) => !isDone).length
}

/** The worker that each strike has hit. */
const met = new WeakMap<Stage, Server>()

const workerKilled: Drill = {
  name: 'worker-killed',
  describe: 'two workers: kill -9 of one in the middle of fan-outs to 12,000, started again 15 s later',
  crowd: CROWD,
  lastsMs: 15_000,
  healsByItself: true,
  isMet: () => true,
  async strike(stage) {
    const crowd = crowdOf(stage)
    const { worker, chunks } = await midFanout(stage, crowd)
    const { pid } = worker
    await worker.kill()
    met.set(stage, worker)
    const open = await unfinished(crowd)
    const text = `${worker.name} is killed after ${chunks} chunks, with ${open} of ${LARGE_POSTS} large fan-outs under way`
    stage.struck(text, isGone(pid) && open > 0)
    await othersServe(stage, worker, crowd)
  },
  mend: async (stage) => met.get(stage)?.start(),
}

/** Waits until the other worker has completed the open fan-outs. */
async function othersServe(stage: Stage, worker: Server, crowd: Crowd): Promise<void> {
  const [other] = othersOf(stage, worker)
  const before = (await other.metric(CHUNKS)) ?? 0
  const tookMs = await waitUntil(TAKEN_WITHIN_MS, async () => (await unfinished(crowd)) === 0, 200)
  if (tookMs === undefined) throw new Error('the other worker did not complete the large fan-outs')
  const chunks = ((await other.metric(CHUNKS)) ?? 0) - before
  if (chunks === 0) throw new Error('the fault did not happen: no chunk was left for the other worker')
  stage.say(`${other.name} served the other ${chunks} chunks; all done after ${seconds(tookMs)}`)
}

const workerFrozen: Drill = {
  name: 'worker-frozen',
  describe:
    'two workers: SIGSTOP of one in the middle of fan-outs to 12,000, for 25 s; then both own its partitions for a moment',
  crowd: CROWD,
  lastsMs: 25_000,
  healsByItself: true,
  isMet: () => true,
  async strike(stage) {
    const partitions = await ownedByAll(stage.workers)
    const { worker } = await midFanout(stage, crowdOf(stage))
    const had = await ownedBy(worker)
    worker.freeze()
    met.set(stage, worker)
    await sleep(50)
    const text = `${worker.name}, which owns ${had} of ${partitions} partitions, is frozen`
    stage.struck(text, isStopped(worker.pid))
    const [other] = othersOf(stage, worker)
    const isTaken = async () => (await ownedBy(other)) === partitions
    const tookMs = await waitUntil(TAKEN_WITHIN_MS, isTaken)
    if (tookMs === undefined) throw new Error('the other worker did not take over the partitions')
    stage.say(`${other.name} owns all ${partitions} after ${seconds(tookMs)}`)
  },
  async mend(stage) {
    const worker = met.get(stage)
    if (worker === undefined) throw new Error('no worker was frozen')
    const [other] = othersOf(stage, worker)
    // Requests are sent while it is still frozen: it then answers them first, before it learns that it was replaced.
    const asking = sharedFor(worker, other, OVERLAP_MS)
    await sleep(ASKED_BEFORE_MS)
    worker.thaw()
    const { most, untilMs } = await asking
    const text = `both own ${most} partitions, for at least ${(untilMs - ASKED_BEFORE_MS).toFixed(0)} ms after SIGCONT`
    if (most === 0) throw new Error('the fault did not happen: no partition had two owners at a time')
    stage.say(text)
  },
}

const third = async (stage: Stage): Promise<Server> =>
  stage.servers.find((server) => server.role === 'worker' && !stage.workers.includes(server)) ??
  stage.addServer('worker')

const comeAndGo: Drill = {
  name: 'workers-come-and-go',
  describe: 'a third worker joins under load and ends with SIGTERM 5 s later; three times',
  lastsMs: 5_000,
  times: 3,
  isMet: () => true,
  async strike(stage) {
    const partitions = await ownedByAll(stage.workers)
    const joining = await third(stage)
    await joining.start()
    const isIn = async () =>
      ((await ownedBy(joining)) ?? 0) > 0 && (await ownedByAll([...stage.workers, joining])) === partitions
    const tookMs = await waitUntil(TAKEN_WITHIN_MS, isIn)
    const owned = await ownedBy(joining)
    stage.struck(`${joining.name} owns ${owned} of ${partitions} partitions`, tookMs !== undefined)
  },
  async mend(stage) {
    const leaving = await third(stage)
    const partitions = await ownedByAll([...stage.workers, leaving])
    await leaving.stop()
    const isTaken = async () => (await ownedByAll(stage.workers)) === partitions
    const tookMs = await waitUntil(TAKEN_WITHIN_MS, isTaken)
    if (tookMs === undefined)
      throw new Error('the other workers did not take over the partitions of the one that left')
    stage.say(`the two others own all ${partitions} again, ${seconds(tookMs)} after it has ended`)
  },
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

export const workerDrills: readonly Drill[] = [workerKilled, workerFrozen, comeAndGo]
