/**
 * Runs the chunks of large fan-outs: close followers first, then active ones, then the rest; with a pause
 * after each, so that requests are served between. When fan-out lags, the rest waits. What is done is saved now and
 * then as a set; repeating the unsaved few changes nothing.
 */

import { LIMITS } from '../core/limits.ts'
import { idKey } from '../core/keys.ts'
import { idTimeMs } from '../core/ids.ts'
import { includesSorted, lowerBound } from '../core/sorted.ts'
import type { EngineContext } from '../engine/engine.ts'
import { retrying } from '../engine/retry.ts'
import { SHARES, edgeBucket, firstOf, type Circle, type Graph } from '../graph/index.ts'
import type { FanoutStats } from './fanout.ts'
import { LANES, openPlansTable, plansTable, receiptsTable, type Plan, type Receipt } from './tables.ts'

/** Read at once; inserted one by one, with a pause after each. */
const CHUNKS_A_TURN = 16
const SAVE_EVERY_CHUNKS = 64
const LAG_EVENTS_HIGH = 2_048
const LAG_PAUSE_MS = 20
/** Beyond every log that is kept. */
const CLOSED_PLAN_TTL_MS = 30 * 86_400_000
const CLOSE_LANE = LANES.indexOf('close')
const REST_LANE = LANES.indexOf('rest')

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

interface Open {
  readonly plan: Plan
  readonly receipt: Receipt & { lanes: number[]; doneChunks: number[] }
  readonly friends: Circle
  /** Begun by an earlier process, which may have known other friends. */
  readonly resumed: boolean
  /** Per lane: the next chunk to look at. */
  readonly next: number[]
  chunksDone: number
  unsaved: number
}

export function createChunkRunner(context: EngineContext, graph: Graph, stats: FanoutStats): ChunkRunner {
  const { env, store, views, horizon } = context
  const { activity } = graph
  const open = new Map<number, Open>()
  const waiters: (() => void)[] = []
  let loop: Promise<void> | undefined
  let stopped = false

  const retry = (task: () => Promise<void>) => retrying(env, () => stopped, task)

  async function add(plan: Plan): Promise<void> {
    while (open.size >= LIMITS.openPlansMax && !stopped)
      await new Promise<void>((resolve) => void waiters.push(resolve))
    if (stopped || open.has(plan.post)) return
    const [row] = await store.get([receiptsTable.key(plan.post)])
    const fingerprint = fingerprintOf(plan)
    const found = row === undefined ? undefined : receiptsTable.decode(row)
    // Progress without its plan (a crash lost that) says nothing about the chunks of this one.
    const saved = found?.fingerprint === fingerprint ? found : undefined
    if (saved !== undefined && saved.doneAtMs > 0) return finishHorizon(plan.post)
    const receipt = {
      ...(saved ?? (await newReceipt(plan, fingerprint))),
      lanes: [...(saved?.lanes ?? [0, 0, 0])],
      doneChunks: [...(saved?.doneChunks ?? [])],
    }
    receipt.doneChunks.length = Math.ceil((LANES.length * plan.chunks.length) / 32)
    const friends = await graph.circles.of(plan.author)
    open.set(plan.post, {
      plan,
      receipt,
      friends,
      resumed: saved !== undefined,
      next: LANES.map(() => 0),
      chunksDone: 0,
      unsaved: 0,
    })
    loop ??= run().catch(context.onFatal)
  }

  async function newReceipt(plan: Plan, fingerprint: number): Promise<Receipt> {
    const planned = await graph.reads.followersCount(plan.author)
    const { post, author, share } = plan
    return {
      post,
      author,
      tier: 0,
      share,
      planned,
      done: 0,
      skippedInactive: 0,
      lanes: [],
      doneAtMs: 0,
      doneChunks: [],
      fingerprint,
    }
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
  function nextTurn(laneEnd: number): { of: Open; lane: number; chunks: number[] } | undefined {
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

  async function runChunks(of: Open, lane: number, turn: readonly number[]): Promise<void> {
    const { author, chunks } = of.plan
    // After a failure, only those that are left.
    const left = turn.filter((chunk) => !isDone(of, lane, chunk))
    const lists = await graph.reads.followersIn(left.map((chunk) => ({ followee: author, ...chunks[chunk] })))
    for (let i = 0; i < left.length; i++) {
      await runChunk(of, lane, left[i], lists[i])
      await env.yield()
    }
  }

  async function runChunk(of: Open, lane: number, chunk: number, numbers: Uint32Array): Promise<void> {
    const { plan, receipt } = of
    const { owners, inactive, reached } = selectLane(of, lane, numbers)
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

  /**
   * Whom a lane serves. The first two lanes take whom they know; the last one makes sure of everybody: it
   * leaves out only those who, by the frozen minutes, cannot but have been served before. `reached` counts,
   * in the last lane, everyone who has the post by now.
   */
  function selectLane({ plan, friends, resumed }: Open, lane: number, numbers: Uint32Array) {
    const owners = new Uint32Array(numbers.length)
    const inactive: number[] = []
    let kept = 0
    let reached = 0
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]
      if (plan.share < SHARES && edgeBucket(number, plan.author) >= plan.share) continue
      const minute = activity.minuteOf(number)
      if (minute > 0 && minute < plan.inactiveBeforeMinute) {
        if (lane === REST_LANE) inactive.push(number)
        continue
      }
      const own = laneOf(number, minute, plan, friends)
      if (lane === REST_LANE || own === lane) reached++
      if (own === lane || (lane === REST_LANE && (resumed || minute >= plan.postedMinute)))
        owners[kept++] = number
    }
    return { owners: owners.subarray(0, kept), inactive, reached }
  }

  async function save(of: Open): Promise<void> {
    of.unsaved = 0
    const { plan, receipt } = of
    const version = plan.version + of.chunksDone
    const saved = {
      ...receipt,
      lanes: [...receipt.lanes],
      doneChunks: [...receipt.doneChunks].map((word) => word ?? 0),
    }
    await store.write([receiptsTable.row(receiptsTable.key(plan.post), version, saved)])
  }

  async function complete(of: Open): Promise<void> {
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

function laneOf(number: number, minute: number, plan: Plan, friends: Circle): number {
  if (includesSorted(friends.following, number)) return 0
  return minute === 0 || minute >= plan.activeFromMinute ? 1 : REST_LANE
}

/** Most chunks hold nobody whom the author follows: the first lane passes them without a look. */
function holdsFriend({ plan, friends }: Open, chunk: number): boolean {
  const { bucket, from, to } = plan.chunks[chunk]
  const next = lowerBound(friends.following, Math.max(from, firstOf(bucket)))
  return friends.following[next] < Math.min(to, firstOf(bucket + 1))
}

/** Tells one plan's chunks from another's. */
function fingerprintOf({ chunks, post }: Plan): number {
  let hash = post | 0
  for (const { bucket, from } of chunks) hash = Math.imul(hash ^ from ^ (bucket << 20), 0x01000193)
  return hash >>> 0
}

const bitOf = (of: Open, lane: number, chunk: number): number => lane * of.plan.chunks.length + chunk
const isDone = (of: Open, lane: number, chunk: number): boolean => {
  const bit = bitOf(of, lane, chunk)
  return (((of.receipt.doneChunks[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1
}
function setDone(of: Open, lane: number, chunk: number): void {
  const bit = bitOf(of, lane, chunk)
  of.receipt.doneChunks[bit >>> 5] = ((of.receipt.doneChunks[bit >>> 5] ?? 0) | (1 << (bit & 31))) >>> 0
  of.chunksDone++
  of.unsaved++
}
const isComplete = (of: Open): boolean => of.chunksDone >= LANES.length * of.plan.chunks.length
