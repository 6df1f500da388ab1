/**
 * Runs large fan-outs in the background, chunk by chunk, with pauses in which requests are served. Their progress is
 * saved now and then as a set of done chunks; after a crash, the few that were done and not saved are repeated, which
 * changes nothing.
 */

import { idTimeMs } from '../../core/ids.ts'
import type { FeedContext } from '../context.ts'
import type { Graph } from '../../graph/index.ts'
import { retrying } from '../../ports/env/retry.ts'
import { sleep } from '../../ports/env/sleep.ts'
import { fingerprintOf, isComplete, openPlan, type OpenPlan } from '../open-plan.ts'
import { LANES, plansTable, receiptsTable, type Plan, type Receipt } from '../tables.ts'
import { REST_LANE } from './lanes.ts'
import { createOpenPlans, type OpenPlans } from './open-plans.ts'
import { PLANS_A_READ, eachLeftOpen, saveClosed, saveProgress } from './plan-rows.ts'
import { createChunkServer } from './serve-chunks.ts'
import type { FanoutStats } from './stats.ts'
import { createTurnOrder } from './turns.ts'

const SAVE_EVERY_CHUNKS = 64
/** With more events than this waiting to be fanned out, the last lane pauses. */
const LAG_EVENTS_HIGH = 2_048
const LAG_PAUSE_MS = 20

export interface ChunkRunner {
  /** Waits while too many plans are open. A plan that an earlier process began goes on where that process saved it. */
  add(plan: Plan): Promise<void>
  /** Goes on with the plans that an earlier process left open, of authors in these partitions of the log. */
  resume(partitions: ReadonlySet<number>): Promise<void>
  /** The receipt of a plan under way. */
  receipt(post: number): Receipt | undefined
  readonly openPlans: number
  idle(): Promise<void>
  stop(): Promise<void>
}

export function createChunkRunner(context: FeedContext, graph: Graph, stats: FanoutStats): ChunkRunner {
  const { store } = context
  const open = createOpenPlans()
  const closing = createClosing(context, open, stats)
  const loop = createLoop(context, open, createChunkServer(context, graph, stats), closing)

  async function add(plan: Plan): Promise<void> {
    while (open.isCrowded(1) && !loop.isStopped) await open.woken()
    if (loop.isStopped || open.get(plan.post) !== undefined) return
    const [row] = await store.get([receiptsTable.key(plan.post)])
    const found = row === undefined ? undefined : receiptsTable.decode(row)
    // A receipt with another fingerprint is that of a plan which a crash has lost; its chunks are not those of this plan.
    const saved = found?.fingerprint === fingerprintOf(plan) ? found : undefined
    if (saved !== undefined && saved.doneAtMs > 0) return closing.close(plan)
    const planned = saved === undefined ? await graph.reads.followersCount(plan.author) : 0
    const friends = await graph.circles.of(plan.author)
    const begunMinute = graph.activity.minuteAgo(0)
    open.add(openPlan({ plan, friends, begunMinute }, saved, planned))
    loop.start()
  }

  return {
    add,
    get openPlans() {
      return open.size
    },
    receipt(post) {
      const receipt = open.get(post)?.receipt
      if (receipt === undefined) return undefined
      // While the fan-out runs, the last lane counts those of the other two as well.
      const [friends, active] = receipt.lanes
      return { ...receipt, lanes: [friends, active, Math.max(0, receipt.done - friends - active)] }
    },
    resume: (partitions) => resumePlans(context, open, partitions, add),
    idle: loop.idle,
    async stop() {
      await loop.stop()
      for (const of of open.all()) if (of.unsaved > 0) await saveProgress(store, of)
    },
  }
}

type Closing = ReturnType<typeof createClosing>

function createClosing(context: FeedContext, open: OpenPlans, stats: FanoutStats) {
  const { env, store, horizon } = context

  /** Nothing is left to do for the plan, now or after a restart: the horizon may pass its post. */
  async function close(plan: Plan): Promise<void> {
    const { post } = plan
    await saveClosed(store, plan, env.wallMs())
    open.remove(post)
    open.wake()
    horizon.closed(post, plan.author)
    await context.publishHorizon()
  }

  async function complete(of: OpenPlan): Promise<void> {
    const { plan, receipt } = of
    receipt.lanes[REST_LANE] = Math.max(0, receipt.done - receipt.lanes[0] - receipt.lanes[1])
    receipt.planned = receipt.done + receipt.skippedInactive
    receipt.doneAtMs = Math.max(env.wallMs(), idTimeMs(plan.post))
    receipt.doneChunks.length = 0
    await saveProgress(store, of)
    await close(plan)
    stats.arrived(plan.post)
  }

  return { close, complete }
}

/** Runs turns as long as plans are open. */
function createLoop(
  context: FeedContext,
  open: OpenPlans,
  serve: ReturnType<typeof createChunkServer>,
  { complete }: Closing,
) {
  const { env, store } = context
  const nextTurn = createTurnOrder(open)
  let running: Promise<void> | undefined
  let stopped = false
  const retry = (task: () => Promise<void>) => retrying(env, () => stopped, task)

  async function run(): Promise<void> {
    try {
      while (open.size > 0 && !stopped) await runTurn()
    } finally {
      // Without an await since `open` was found empty, so that `start` finds either a loop that will see the new
      // plan, or none.
      running = undefined
    }
  }

  async function runTurn(): Promise<void> {
    // The last lane does not pause while plans wait to be added: those hold up the batches that bring the lag down.
    const isLagging = context.backlogEvents() > LAG_EVENTS_HIGH && !open.isCrowded(1 / 2)
    const turn = nextTurn(isLagging ? REST_LANE : LANES.length)
    if (turn === undefined) return sleep(env, LAG_PAUSE_MS)
    const { of } = turn
    await retry(() => serve(turn))
    if (isComplete(of)) await retry(() => complete(of))
    else if (of.unsaved >= SAVE_EVERY_CHUNKS) await retry(() => saveProgress(store, of))
  }

  return {
    get isStopped() {
      return stopped
    },
    start: () => void (running ??= run().catch(context.onFatal)),
    async idle() {
      while (running !== undefined) await running
    },
    async stop() {
      stopped = true
      open.wake()
      await running
    },
  }
}

async function resumePlans(
  { store, horizon, partitionOf }: FeedContext,
  open: OpenPlans,
  partitions: ReadonlySet<number>,
  add: (plan: Plan) => Promise<void>,
): Promise<void> {
  const left: { readonly post: number; readonly author: number }[] = []
  await eachLeftOpen(store, ({ post, author }) => {
    if (partitions.has(partitionOf(author)) && open.get(post) === undefined) left.push({ post, author })
  })
  // The horizon hears of all of them before the first one may end, or it would pass those still to be added.
  for (const { post, author } of left) horizon.opened(post, author)
  for (let at = 0; at < left.length; at += PLANS_A_READ) {
    const some = left.slice(at, at + PLANS_A_READ)
    const rows = await store.get(some.map(({ post }) => plansTable.key(post)))
    for (const [i, row] of rows.entries()) {
      if (row === undefined) horizon.closed(some[i].post, some[i].author)
      else await add(plansTable.decode(row))
    }
  }
}
