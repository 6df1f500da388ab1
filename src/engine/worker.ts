/**
 * The one reader of the log in a process: projects each batch, lets writers go on, then hands the events
 * to what follows (fan-out, backfill), which commits them. The two halves overlap; the hand-over is bounded,
 * so that a slow fan-out slows the projection and, through it, the writers.
 */

import { RivuletError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Env } from '../ports/env/env.ts'
import type { Log, LogBatch, LogConsumer } from '../ports/log/log.ts'
import type { Store } from '../ports/store/store.ts'
import type { Domain } from './domain.ts'
import type { Event, EventDecoder } from './events.ts'
import type { Derived, Projector } from './project.ts'
import { retrying } from './retry.ts'

/** Who reads the log. */
export const WORKER_GROUP = 'worker'

const PROJECTION_DEADLINE_MS = 10_000
const DEADLINE_CHECK_MS = 1_000
const HANDOVER_EVENTS_MAX = 16 * LIMITS.workerBatchEvents
const CHECKPOINT_INTERVAL_MS = 30_000
const CHECKPOINT_EVENTS = 500_000

export interface Worker {
  /** Replays what the store may not hold, up to the end of the log; then goes on by itself. */
  start(): Promise<void>
  /** Resolves once the event at `position` is projected; rejects with `outcome_unknown` when that takes too long. */
  projected(partition: number, position: number): Promise<void>
  /** The event stood in the log when this worker started: another may have reacted to it before. */
  isReplayed(event: Event): boolean
  /** Resolves when everything appended so far, and everything that followed from it, is done. */
  idle(): Promise<void>
  checkpoint(): Promise<void>
  stop(): Promise<void>
}

export interface WorkerOptions {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly domains: readonly Domain[]
  readonly decode: EventDecoder
  readonly project: Projector
  readonly appendDerived: (derived: readonly Derived[]) => Promise<void>
  /** Called for each event once all that follows from it is done. */
  readonly onDone: (event: Event) => void
  /** Writes what must be known of the events below a checkpoint, which are not read again. */
  readonly beforeCheckpoint: () => Promise<void>
  /** Called once a batch is done. */
  readonly afterBatch: () => Promise<void>
  /** Called with each event as it is read, before anything else. */
  readonly onRead: (event: Event) => void
  /** The worker cannot go on; the process should end. */
  readonly onFatal: (error: unknown) => void
}

interface Waiter {
  readonly position: number
  readonly sinceMs: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const delayed = () => new RivuletError('outcome_unknown', 'the write was accepted; its effects are delayed')

export function createWorker(options: WorkerOptions): Worker {
  const { env, log, store, domains, decode, project, onDone, onRead } = options
  const waiters: Waiter[][] = Array.from({ length: log.partitions }, () => [])
  const projectedTo = new Array<number>(log.partitions).fill(0)
  const reactedTo = new Array<number>(log.partitions).fill(0)
  const replayedTo = new Array<number>(log.partitions).fill(0)
  const handover: { batch: LogBatch; events: Event[] }[] = []
  let backlogEvents = 0
  let eventsSinceCheckpoint = 0
  let consumer: LogConsumer | undefined
  let stopped = false
  let failure: unknown
  let wakeReactor = () => {}
  let wakeProjector = () => {}
  const idlers: (() => void)[] = []
  let loops: Promise<unknown> = Promise.resolve()
  let checkpointTimer: { cancel(): void } | undefined
  let deadlineTimer: { cancel(): void } | undefined
  let checkpointing: Promise<void> = Promise.resolve()

  function fail(error: unknown): void {
    if (failure !== undefined) return
    failure = error
    stopped = true
    for (const list of waiters) for (const waiter of list.splice(0)) waiter.reject(error)
    wakeReactor()
    wakeProjector()
    wakeIdlers()
    options.onFatal(error)
  }

  function wakeIdlers(): void {
    for (const wake of idlers.splice(0)) wake()
  }

  function release(partition: number): void {
    const list = waiters[partition]
    let kept = 0
    for (const waiter of list) {
      if (waiter.position < projectedTo[partition]) waiter.resolve()
      else list[kept++] = waiter
    }
    list.length = kept
  }

  const retry = <T>(task: () => Promise<T>) => retrying(env, () => stopped, task)

  async function projectBatch(batch: LogBatch): Promise<void> {
    const events = batch.values.map((value, i) =>
      decode(value, log.epoch, batch.partition, batch.positions[i]),
    )
    for (const event of events) onRead(event)
    const derived = await retry(() => project(events))
    if (derived.length > 0) await retry(() => options.appendDerived(derived))
    for (const domain of domains) domain.projected?.(events)
    projectedTo[batch.partition] = batch.next
    backlogEvents += events.length
    handover.push({ batch, events })
    wakeReactor()
    release(batch.partition)
  }

  async function projectLoop(): Promise<void> {
    while (!stopped) {
      while (backlogEvents > HANDOVER_EVENTS_MAX && !stopped) {
        await new Promise<void>((resolve) => (wakeProjector = resolve))
      }
      const batch = stopped ? undefined : await consumer?.next(LIMITS.workerBatchEvents)
      if (batch === undefined) return
      await projectBatch(batch)
    }
  }

  async function reactLoop(): Promise<void> {
    for (;;) {
      const next = handover.shift()
      if (next === undefined) {
        if (stopped) return
        await new Promise<void>((resolve) => (wakeReactor = resolve))
        continue
      }
      const { batch, events } = next
      for (const domain of domains)
        if (domain.react !== undefined) await retry(async () => domain.react?.(events))
      for (const event of events) onDone(event)
      await retry(options.afterBatch)
      backlogEvents -= events.length
      reactedTo[batch.partition] = batch.next
      if (!stopped) await consumer?.commit(batch.partition, batch.next)
      wakeProjector()
      wakeIdlers()
      eventsSinceCheckpoint += events.length
      if (eventsSinceCheckpoint >= CHECKPOINT_EVENTS) await checkpoint()
    }
  }

  /** What was reacted to is also projected, so replaying from there misses neither. */
  function checkpoint(): Promise<void> {
    checkpointing = checkpointing.then(async () => {
      eventsSinceCheckpoint = 0
      const positions = [...reactedTo]
      await retry(options.beforeCheckpoint)
      await retry(() => store.checkpoint(positions))
      await log.release(positions)
    })
    return checkpointing
  }

  /** One timer for all who wait: nobody waits much longer than the deadline, and none pays for a timer. */
  function watchDeadlines(): void {
    deadlineTimer = env.timer(DEADLINE_CHECK_MS, () => {
      const overdueMs = env.monotonicMs() - PROJECTION_DEADLINE_MS
      for (const list of waiters) {
        const overdue = list.filter((waiter) => waiter.sinceMs < overdueMs)
        if (overdue.length > 0)
          list.splice(0, list.length, ...list.filter((waiter) => waiter.sinceMs >= overdueMs))
        for (const waiter of overdue) {
          waiter.reject(delayed())
        }
      }
      if (!stopped) watchDeadlines()
    })
  }

  function scheduleCheckpoint(): void {
    checkpointTimer = env.timer(CHECKPOINT_INTERVAL_MS, () => {
      const due = eventsSinceCheckpoint > 0 ? checkpoint() : Promise.resolve()
      due.then(() => !stopped && scheduleCheckpoint(), fail)
    })
  }

  function projected(partition: number, position: number): Promise<void> {
    if (position < projectedTo[partition]) return Promise.resolve()
    if (failure !== undefined) return Promise.reject(failure)
    if (stopped) return Promise.reject(delayed())
    return new Promise((resolve, reject) =>
      waiters[partition].push({ position, sinceMs: env.monotonicMs(), resolve, reject }),
    )
  }

  return {
    projected,
    checkpoint,
    isReplayed: ({ partition, position }) => position < replayedTo[partition],
    async start() {
      consumer = await log.consumer(WORKER_GROUP)
      const watermark = await store.watermark()
      const bounds = await log.bounds()
      for (let partition = 0; partition < log.partitions; partition++) {
        // A store without a watermark may have lost everything: what the group has committed says nothing of it.
        const from = watermark[partition] ?? bounds[partition].start
        projectedTo[partition] = reactedTo[partition] = from
        replayedTo[partition] = bounds[partition].end
        await consumer.seek(partition, from)
      }
      loops = Promise.all([projectLoop(), reactLoop()]).catch(fail)
      await Promise.all(bounds.map(({ start, end }, p) => (end > start ? projected(p, end - 1) : undefined)))
      scheduleCheckpoint()
      watchDeadlines()
    },
    async idle() {
      for (;;) {
        if (failure !== undefined) throw failure
        const bounds = await log.bounds()
        if (stopped || bounds.every(({ end }, p) => reactedTo[p] >= end)) return
        await new Promise<void>((resolve) => void idlers.push(resolve))
      }
    },
    async stop() {
      stopped = true
      checkpointTimer?.cancel()
      deadlineTimer?.cancel()
      await consumer?.close()
      wakeReactor()
      wakeProjector()
      await loops
      wakeIdlers()
      for (const list of waiters) for (const waiter of list.splice(0)) waiter.reject(delayed())
      if (failure === undefined) await checkpoint()
    },
  }
}
