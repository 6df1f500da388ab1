/**
 * Runs the chunks of large fan-outs, the most urgent lane first, with a pause after each so that requests are
 * served between. When fan-out lags, the rest waits. What is done is saved now and then as a set; repeating the
 * unsaved few changes nothing.
 */

import { sleep } from '../../ports/env/sleep.ts'
import { LIMITS } from '../../core/limits.ts'
import { idKey } from '../../core/keys.ts'
import { idTimeMs } from '../../core/ids.ts'
import type { EngineContext } from '../../engine/engine.ts'
import { retrying } from '../../ports/env/retry.ts'
import type { Graph } from '../../graph/index.ts'
import type { FanoutStats } from '../fanout.ts'
import { CLOSE_LANE, REST_LANE, holdsFriend, selectLane } from './lanes.ts'
import { fingerprintOf, isComplete, isDone, openPlan, setDone, type OpenPlan } from '../open-plan.ts'
import { LANES, openPlansTable, plansTable, receiptsTable, type Plan, type Receipt } from '../tables.ts'

/** Read at once; inserted one by one. */
const CHUNKS_A_TURN = 16
/** Work between two pauses: a share of the time, however busy the readers are. */
const WORK_MS = 2
/** So often the oldest plan has its turn, so that it ends however many urgent ones keep coming. */
const OLDEST_EVERY_TURNS = 4
const SAVE_EVERY_CHUNKS = 64
const LAG_EVENTS_HIGH = 2_048
const LAG_PAUSE_MS = 20
const PLANS_A_READ = 100
/** Beyond every log that is kept. */
const CLOSED_PLAN_TTL_MS = 30 * 86_400_000

export interface ChunkRunner {
  /** Waits while too many plans are open. A plan that was begun before goes on where it was. */
  add(plan: Plan): Promise<void>
  /** Plans of authors in these partitions of the log that an earlier process left open. */
  resume(partitions: ReadonlySet<number>): Promise<void>
  /** The receipt of a plan under way. */
  receipt(post: number): Receipt | undefined
  readonly openPlans: number
  idle(): Promise<void>
  stop(): Promise<void>
}

/** Some chunks of one lane. */
interface Turn {
  readonly of: OpenPlan
  readonly lane: number
  readonly chunks: readonly number[]
}

export function createChunkRunner(context: EngineContext, graph: Graph, stats: FanoutStats): ChunkRunner {
  const { env, store, views, horizon } = context
  const open = new Map<number, OpenPlan>()
  const waiters: (() => void)[] = []
  let openChunks = 0
  let turns = 0
  let loop: Promise<void> | undefined
  let stopped = false

  const retry = (task: () => Promise<void>) => retrying(env, () => stopped, task)

  /** So many plans are open, or so many of their chunks; one plan alone never is too many. */
  const isCrowded = (share: number) =>
    open.size >= LIMITS.openPlansMax * share || (open.size > 0 && openChunks >= LIMITS.openChunksMax * share)

  async function add(plan: Plan): Promise<void> {
    while (isCrowded(1) && !stopped) await new Promise<void>((resolve) => void waiters.push(resolve))
    if (stopped || open.has(plan.post)) return
    const [row] = await store.get([receiptsTable.key(plan.post)])
    const found = row === undefined ? undefined : receiptsTable.decode(row)
    // Progress without its plan (a crash lost that) says nothing about the chunks of this one.
    const saved = found?.fingerprint === fingerprintOf(plan) ? found : undefined
    if (saved !== undefined && saved.doneAtMs > 0) return close(plan)
    const planned = saved === undefined ? await graph.reads.followersCount(plan.author) : 0
    const friends = await graph.circles.of(plan.author)
    const begunMinute = graph.activity.minuteAgo(0)
    open.set(plan.post, openPlan({ plan, friends, begunMinute }, saved, planned))
    openChunks += plan.chunks.length
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
    const isLagging = context.backlogEvents() > LAG_EVENTS_HIGH && !isCrowded(1 / 2)
    const turn = nextTurn(isLagging ? REST_LANE : LANES.length)
    if (turn === undefined) return sleep(env, LAG_PAUSE_MS)
    await retry(() => runChunks(turn.of, turn.lane, turn.chunks))
    if (isComplete(turn.of)) await retry(() => complete(turn.of))
    else if (turn.of.unsaved >= SAVE_EVERY_CHUNKS) await retry(() => save(turn.of))
  }

  /** The most urgent lane below `laneEnd` of all plans; of one lane, the oldest plan. */
  function nextTurn(laneEnd: number): Turn | undefined {
    const isForOldest = ++turns % OLDEST_EVERY_TURNS === 0
    for (let lane = 0; lane < laneEnd; lane++) {
      for (const of of open.values()) {
        const chunks = nextChunks(of, lane)
        if (chunks.length > 0 || isComplete(of)) return { of, lane, chunks }
        if (isForOldest) break
      }
    }
    return undefined
  }

  function nextChunks(of: OpenPlan, lane: number): number[] {
    const chunks: number[] = []
    while (of.next[lane] < of.plan.chunks.length && chunks.length < CHUNKS_A_TURN) {
      const chunk = of.next[lane]++
      if (isDone(of, lane, chunk)) of.chunksDone++
      else if (lane === CLOSE_LANE && !holdsFriend(of, chunk)) setDone(of, lane, chunk)
      else chunks.push(chunk)
    }
    return chunks
  }

  async function runChunks(of: OpenPlan, lane: number, turn: readonly number[]): Promise<void> {
    const { author, chunks } = of.plan
    // After a failure, only those that are left.
    const left = turn.filter((chunk) => !isDone(of, lane, chunk))
    const lists = await graph.reads.followersIn(left.map((chunk) => ({ followee: author, ...chunks[chunk] })))
    let sinceMs = env.monotonicMs()
    for (let i = 0; i < left.length; i++) {
      await runChunk(of, lane, left[i], lists[i])
      if (i < left.length - 1 && env.monotonicMs() - sinceMs < WORK_MS) continue
      await env.yield()
      sinceMs = env.monotonicMs()
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
    await close(plan)
    stats.arrived(plan.post)
  }

  /** Nothing is left to do of it, now or after a restart. */
  async function close(plan: Plan): Promise<void> {
    const { post } = plan
    const version = plan.version + 1
    // What says that it is done stays long enough for any replay of its event.
    const expiresAtMs = env.wallMs() + CLOSED_PLAN_TTL_MS
    await store.write([
      { ...openPlansTable.row(openPlansTable.key(post), version, { post, open: false }), expiresAtMs },
      { ...plansTable.row(plansTable.key(post), version, plan), expiresAtMs },
    ])
    if (open.delete(post)) openChunks -= plan.chunks.length
    for (const wake of waiters.splice(0)) wake()
    horizon.closed(post, plan.author)
    await context.publishHorizon()
  }

  /** Plans as an earlier process left them. */
  async function eachLeftOpen(task: (plan: Plan) => void): Promise<void> {
    const { partition } = openPlansTable.key(0)
    for (let from = ''; ;) {
      const range = { table: openPlansTable, partition, from, limit: PLANS_A_READ }
      const [rows] = await store.range([range])
      const states = rows.map((row) => openPlansTable.decode(row))
      const plans = await store.get(
        states.flatMap(({ post, open: isOpen }) => (isOpen ? [plansTable.key(post)] : [])),
      )
      for (const row of plans) if (row !== undefined) task(plansTable.decode(row))
      if (rows.length < PLANS_A_READ) return
      from = `${idKey(states[states.length - 1].post)}0`
    }
  }

  return {
    add,
    get openPlans() {
      return open.size
    },
    receipt(post) {
      const receipt = open.get(post)?.receipt
      if (receipt === undefined) return undefined
      // While it runs, the last lane counts everybody.
      const [friends, active] = receipt.lanes
      return { ...receipt, lanes: [friends, active, Math.max(0, receipt.done - friends - active)] }
    },
    async resume(partitions) {
      const left: { readonly post: number; readonly author: number }[] = []
      await eachLeftOpen((plan) => {
        const { post, author } = plan
        if (partitions.has(context.partitionOf(author)) && !open.has(post)) left.push({ post, author })
      })
      // All of them before the first may end, or the horizon would pass those to come.
      for (const { post, author } of left) horizon.opened(post, author)
      for (let at = 0; at < left.length; at += PLANS_A_READ) {
        const some = left.slice(at, at + PLANS_A_READ)
        const rows = await store.get(some.map(({ post }) => plansTable.key(post)))
        for (const [i, row] of rows.entries()) {
          if (row === undefined) horizon.closed(some[i].post, some[i].author)
          else await add(plansTable.decode(row))
        }
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
