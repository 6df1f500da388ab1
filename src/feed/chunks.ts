/**
 * Runs the chunks of large fan-outs, the most urgent lane first, with a pause after each so that requests are
 * served between. When fan-out lags, the rest waits. What is done is saved now and then as a set; repeating the
 * unsaved few changes nothing.
 */

import { LIMITS } from '../core/limits.ts'
import { idKey } from '../core/keys.ts'
import { idTimeMs } from '../core/ids.ts'
import type { EngineContext } from '../engine/engine.ts'
import { retrying } from '../engine/retry.ts'
import type { Graph } from '../graph/index.ts'
import type { FanoutStats } from './fanout.ts'
import { CLOSE_LANE, REST_LANE, holdsFriend, selectLane } from './lanes.ts'
import { fingerprintOf, isComplete, isDone, openPlan, setDone, type OpenPlan } from './open-plan.ts'
import { LANES, openPlansTable, plansTable, receiptsTable, type Plan, type Receipt } from './tables.ts'

/** Read at once; inserted one by one, with a pause after each. */
const CHUNKS_A_TURN = 16
const SAVE_EVERY_CHUNKS = 64
const LAG_EVENTS_HIGH = 2_048
const LAG_PAUSE_MS = 20
/** Beyond every log that is kept. */
const CLOSED_PLAN_TTL_MS = 30 * 86_400_000

export interface ChunkRunner {
  /** Waits while too many plans are open. A plan that was begun before goes on where it was. */
  add(plan: Plan): Promise<void>
  /** Plans that an earlier process left open. */
  resume(): Promise<void>
  /** The receipt of a plan under way. */
  receipt(post: number): Receipt | undefined
  readonly openPlans: number
  idle(): Promise<void>
  stop(): Promise<void>
}

export function createChunkRunner(context: EngineContext, graph: Graph, stats: FanoutStats): ChunkRunner {
  const { env, store, views, horizon } = context
  const open = new Map<number, OpenPlan>()
  const waiters: (() => void)[] = []
  let loop: Promise<void> | undefined
  let stopped = false

  const retry = (task: () => Promise<void>) => retrying(env, () => stopped, task)

  async function add(plan: Plan): Promise<void> {
    while (open.size >= LIMITS.openPlansMax && !stopped)
      await new Promise<void>((resolve) => void waiters.push(resolve))
    if (stopped || open.has(plan.post)) return
    const [row] = await store.get([receiptsTable.key(plan.post)])
    const found = row === undefined ? undefined : receiptsTable.decode(row)
    // Progress without its plan (a crash lost that) says nothing about the chunks of this one.
    const saved = found?.fingerprint === fingerprintOf(plan) ? found : undefined
    if (saved !== undefined && saved.doneAtMs > 0) return finishHorizon(plan.post)
    const planned = saved === undefined ? await graph.reads.followersCount(plan.author) : 0
    const friends = await graph.circles.of(plan.author)
    open.set(plan.post, openPlan(plan, saved, planned, friends))
    loop ??= run().catch(context.onFatal)
  }

  async function run(): Promise<void> {
    try {
      while (open.size > 0 && !stopped) await runTurn()
    } finally {
      // At once with the last look at `open`: a plan that is added next finds no loop and starts one.
      loop = undefined
    }
  }

  async function runTurn(): Promise<void> {
    // Not while plans wait to be added: those hold up what would bring the lag down.
    const isLagging = context.lagEvents() > LAG_EVENTS_HIGH && open.size < LIMITS.openPlansMax / 2
    const turn = nextTurn(isLagging ? REST_LANE : LANES.length)
    if (turn === undefined) return new Promise((resolve) => void env.timer(LAG_PAUSE_MS, resolve))
    await retry(() => runChunks(turn.of, turn.lane, turn.chunks))
    if (isComplete(turn.of)) await retry(() => complete(turn.of))
    else if (turn.of.unsaved >= SAVE_EVERY_CHUNKS) await retry(() => save(turn.of))
  }

  /** The most urgent lane below `laneEnd` of all plans; of one lane, the oldest plan. */
  function nextTurn(laneEnd: number): { of: OpenPlan; lane: number; chunks: number[] } | undefined {
    for (let lane = 0; lane < laneEnd; lane++) {
      for (const of of open.values()) {
        const chunks: number[] = []
        while (of.next[lane] < of.plan.chunks.length && chunks.length < CHUNKS_A_TURN) {
          const chunk = of.next[lane]++
          if (isDone(of, lane, chunk)) of.chunksDone++
          else if (lane === CLOSE_LANE && !holdsFriend(of, chunk)) setDone(of, lane, chunk)
          else chunks.push(chunk)
        }
        if (chunks.length > 0 || isComplete(of)) return { of, lane, chunks }
      }
    }
    return undefined
  }

  async function runChunks(of: OpenPlan, lane: number, turn: readonly number[]): Promise<void> {
    const { author, chunks } = of.plan
    // After a failure, only those that are left.
    const left = turn.filter((chunk) => !isDone(of, lane, chunk))
    const lists = await graph.reads.followersIn(left.map((chunk) => ({ followee: author, ...chunks[chunk] })))
    for (let i = 0; i < left.length; i++) {
      await runChunk(of, lane, left[i], lists[i])
      await env.yield()
    }
  }

  async function runChunk(of: OpenPlan, lane: number, chunk: number, numbers: Uint32Array): Promise<void> {
    const { plan, receipt } = of
    const { owners, inactive, reached } = selectLane(graph.activity, of, lane, numbers)
    // An evicted timeline is rebuilt when its reader returns; one that is only skipped would have a hole.
    if (inactive.length > 0) await views.evict(inactive)
    const { inserted } = await views.insert([{ id: plan.post, author: plan.author, kind: plan.kind, owners }])
    stats.inserts += inserted
    stats.chunks++
    stats.skippedInactive += inactive.length
    receipt.lanes[lane] += reached
    receipt.done = Math.max(receipt.lanes[0] + receipt.lanes[1], receipt.lanes[REST_LANE])
    receipt.skippedInactive += inactive.length
    setDone(of, lane, chunk)
  }

  async function save(of: OpenPlan): Promise<void> {
    of.unsaved = 0
    const { plan, receipt } = of
    const version = plan.version + of.chunksDone
    const saved = {
      ...receipt,
      lanes: [...receipt.lanes],
      doneChunks: [...receipt.doneChunks],
    }
    await store.write([receiptsTable.row(receiptsTable.key(plan.post), version, saved)])
  }

  async function complete(of: OpenPlan): Promise<void> {
    const { plan, receipt } = of
    receipt.lanes[REST_LANE] = Math.max(0, receipt.done - receipt.lanes[0] - receipt.lanes[1])
    receipt.planned = receipt.done + receipt.skippedInactive
    receipt.doneAtMs = Math.max(env.wallMs(), idTimeMs(plan.post))
    receipt.doneChunks.length = 0
    await save(of)
    const closed = openPlansTable.row(openPlansTable.key(plan.post), plan.version + 1, {
      post: plan.post,
      open: false,
    })
    // What says that it is done stays long enough for any replay of its event.
    const chunks = plansTable.row(plansTable.key(plan.post), plan.version, plan)
    const expiresAtMs = env.wallMs() + CLOSED_PLAN_TTL_MS
    await store.write([
      { ...closed, expiresAtMs },
      { ...chunks, expiresAtMs },
    ])
    open.delete(plan.post)
    for (const wake of waiters.splice(0)) wake()
    stats.arrived(plan.post)
    await finishHorizon(plan.post)
  }

  async function finishHorizon(post: number): Promise<void> {
    horizon.closed(post)
    await context.publishHorizon()
  }

  return {
    add,
    get openPlans() {
      return open.size
    },
    receipt: (post) => open.get(post)?.receipt,
    async resume() {
      for (let from = ''; ;) {
        const { partition } = openPlansTable.key(0)
        const [rows] = await store.range([{ table: openPlansTable, partition, from, limit: 1_000 }])
        const posts = rows.map((row) => openPlansTable.decode(row)).filter((row) => row.open)
        const plans = await store.get(posts.map(({ post }) => plansTable.key(post)))
        for (const row of plans) {
          if (row === undefined) continue
          const plan = plansTable.decode(row)
          horizon.opened(plan.post)
          await add(plan)
        }
        if (rows.length < 1_000) return
        from = `${idKey(openPlansTable.decode(rows[rows.length - 1]).post)}0`
      }
    },
    async idle() {
      while (loop !== undefined) await loop
    },
    async stop() {
      stopped = true
      for (const wake of waiters.splice(0)) wake()
      await loop
      for (const of of open.values()) if (of.unsaved > 0) await save(of)
    },
  }
}
