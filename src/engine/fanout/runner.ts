/**
 * Runs large fan-outs in the background, chunk by chunk, with pauses in which requests are served. Their progress is
 * saved now and then as a set of done chunks; after a crash, the few that were done and not saved are repeated, which
 * changes nothing.
 */

import { idTimeMs } from '../../core/ids.ts'
import { retrying } from '../../ports/env/retry.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { EngineContext } from '../context.ts'
import { sizeOf } from './audience.ts'
import type { FanoutDefinition } from './definition.ts'
import type { Hold } from './hold.ts'
import { fingerprintOf, isComplete, openPlan, servedBefore, type OpenPlan } from './open-plan.ts'
import { createOpenPlans, type OpenPlans } from './open-plans.ts'
import { createPlanRows, type PlanRows } from './plan-rows.ts'
import { createChunkServer } from './serve-chunks.ts'
import type { FanoutStats } from './stats.ts'
import type { Plan, Receipt } from './tables.ts'
import { createTurnOrder } from './turns.ts'

const SAVE_EVERY_CHUNKS = 64
/** With more events than this waiting to be fanned out, the last lane pauses, unless the domain says otherwise. */
const LAG_EVENTS_HIGH = 2_048
const LAG_PAUSE_MS = 20

export interface ChunkRunner<F> {
  /** Waits while too many plans are open. A plan that an earlier process began goes on where that process saved it. */
  add(plan: Plan<F>): Promise<void>
  /** Goes on with the plans that an earlier process left open, of keys in these partitions of the log. */
  resume(partitions: ReadonlySet<number>): Promise<void>
  /** The receipt of a plan under way. */
  receipt(id: number): Receipt | undefined
  readonly openPlans: number
  idle(): Promise<void>
  stop(): Promise<void>
}

/** What the parts of a runner share. */
interface Parts<F> {
  readonly context: EngineContext
  readonly definition: FanoutDefinition<any, F>
  readonly hold: Hold
  readonly stats: FanoutStats
  readonly open: OpenPlans<F>
  readonly rows: PlanRows<F>
}

export function createChunkRunner<F>(
  context: EngineContext,
  definition: FanoutDefinition<any, F>,
  hold: Hold,
  stats: FanoutStats,
): ChunkRunner<F> {
  const { store } = context
  const { audience, lanes, tables } = definition
  const open = createOpenPlans<F>()
  const rows = createPlanRows(store, tables, definition.receipts === 'while open')
  const parts: Parts<F> = { context, definition, hold, stats, open, rows }
  const closing = createClosing(parts)
  const loop = createLoop(parts, closing)

  async function add(plan: Plan<F>): Promise<void> {
    while (open.isCrowded(1) && !loop.isStopped) await open.woken()
    if (loop.isStopped || open.get(plan.id) !== undefined) return
    const [row] = await store.get([tables.receipts.key(plan.id)])
    const found = row === undefined ? undefined : tables.receipts.decode(row)
    // A receipt with another fingerprint is that of a plan which a crash has lost; its chunks are not those of this plan.
    const saved = found?.fingerprint === fingerprintOf(plan) ? found : undefined
    if (saved !== undefined && saved.doneAtMs > 0) return closing.close(plan)
    const planned = saved === undefined ? sizeOf((await audience.partsOf([plan.key]))[0]) : 0
    const selection = await lanes.begin(plan, saved !== undefined)
    open.add(openPlan(plan, selection, lanes.names.length, saved, planned))
    loop.start()
  }

  return {
    add,
    get openPlans() {
      return open.size
    },
    receipt(id) {
      const receipt = open.get(id)?.receipt
      if (receipt === undefined) return undefined
      // While the fan-out runs, the last lane counts those of the others as well.
      return { ...receipt, lanes: [...receipt.lanes.slice(0, -1), ofLastLane(receipt)] }
    },
    resume: (partitions) => resumePlans(parts, partitions, add),
    idle: loop.idle,
    async stop() {
      await loop.stop()
      for (const of of open.all()) if (of.unsaved > 0) await rows.saveProgress(of)
    },
  }
}

const ofLastLane = ({ done, lanes }: Receipt): number => Math.max(0, done - servedBefore(lanes))

type Closing<F> = ReturnType<typeof createClosing<F>>

function createClosing<F>({ context: { env }, definition, hold, stats, open, rows }: Parts<F>) {
  const last = definition.lanes.names.length - 1

  /** Nothing is left to do for the plan, now or after a restart: the horizon may pass its event. */
  async function close(plan: Plan<F>): Promise<void> {
    await rows.saveClosed(plan, env.wallMs())
    open.remove(plan.id)
    open.wake()
    hold.closed(plan.id, plan.key)
    await hold.publish()
  }

  async function complete(of: OpenPlan<F>): Promise<void> {
    const { plan, receipt } = of
    receipt.lanes[last] = ofLastLane(receipt)
    receipt.planned = receipt.done + receipt.skipped
    receipt.doneAtMs = Math.max(env.wallMs(), idTimeMs(plan.id))
    receipt.doneChunks.length = 0
    await rows.saveProgress(of)
    await close(plan)
    stats.arrived(plan.id)
  }

  return { close, complete }
}

/** Runs turns as long as plans are open. */
function createLoop<F>({ context, definition, stats, open, rows }: Parts<F>, { complete }: Closing<F>) {
  const { env } = context
  const lanes = definition.lanes.names.length
  const {
    lagEventsHigh = LAG_EVENTS_HIGH,
    lagEvents = context.backlogEvents,
    fromLane = lanes - 1,
  } = definition.pace ?? {}
  const serve = createChunkServer(env, definition, stats)
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
    // No lane pauses while plans wait to be added: those hold up the batches that bring the lag down.
    const isLagging = lagEvents() > lagEventsHigh && !open.isCrowded(1 / 2)
    const turn = nextTurn(isLagging ? fromLane : lanes)
    if (turn === undefined) return sleep(env, LAG_PAUSE_MS)
    const { of } = turn
    await retry(() => serve(turn))
    if (isComplete(of)) await retry(() => complete(of))
    else if (of.unsaved >= SAVE_EVERY_CHUNKS) await retry(() => rows.saveProgress(of))
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

async function resumePlans<F>(
  { context: { partitionOf }, hold, open, rows }: Parts<F>,
  partitions: ReadonlySet<number>,
  add: (plan: Plan<F>) => Promise<void>,
): Promise<void> {
  const left: { readonly id: number; readonly key: number }[] = []
  await rows.eachLeftOpen(({ id, key }) => {
    if (partitions.has(partitionOf(key)) && open.get(id) === undefined) left.push({ id, key })
  })
  // The horizon hears of all of them before the first one may end, or it would pass those still to be added.
  for (const { id, key } of left) hold.opened(id, key)
  const ids = left.map(({ id }) => id)
  await rows.eachOf(ids, async (plan, i) => {
    if (plan === undefined) hold.closed(left[i].id, left[i].key)
    else await add(plan)
  })
}
