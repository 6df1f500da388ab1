/**
 * Reads the partitions of the log that are this process's: projects each batch, lets writers go on, then hands the
 * events to what follows (fan-out, backfill), which commits them. The two halves overlap; the hand-over is bounded,
 * so that a slow fan-out slows the projection and, through it, the writers.
 *
 * Partitions come and go while others share the work. One that comes is read from where this process's caches are, or
 * from the watermark; one that has gone may be worked on by two for a moment, which makes the same rows and entries.
 */

import { isRetriable } from '../../core/errors.ts'
import type { Log, LogBatch, LogConsumer } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import { createCheckpoints } from './checkpoints.ts'
import { createCollector, type Collector } from './collector.ts'
import type { Domain } from '../domain.ts'
import type { Event } from '../events.ts'
import { createHandover, type Projected } from './handover.ts'
import { createIntake, type IntakeOptions, type TakenIn } from './intake.ts'
import { retrying } from '../../ports/env/retry.ts'
import type { Waiters } from './waiters.ts'

/** Who reads the log. */
export const WORKER_GROUP = 'worker'

const CHECKPOINT_MS = 30_000

export interface Worker {
  /** Joins the readers of the log; goes on by itself. */
  start(): Promise<void>
  /** The event stood in the log when its partition became this worker's: another may have reacted to it before. */
  isReplayed(event: Event): boolean
  readonly owned: ReadonlySet<number>
  /** Of a partition that is owned. */
  projectedTo(partition: number): number
  reactedTo(partition: number): number
  /** It is owned, and what an owner before may have projected is projected. */
  isWhole(partition: number): boolean
  /** Projected, and still to be reacted to. */
  backlogEvents(): number
  /** Resolves when every partition is this process's, and everything appended so far, and what followed, is done. */
  idle(): Promise<void>
  checkpoint(): Promise<void>
  /** For how long there has been something that a start after a crash would do again; 0 when there is nothing. */
  unsavedMs(): number
  stop(): Promise<void>
}

export interface WorkerOptions extends IntakeOptions {
  readonly log: Log
  readonly store: Store
  readonly domains: readonly Domain[]
  readonly waiters: Waiters
  /** Rows of these stand: brings caches up to date and lets writers go on. */
  readonly apply: (partition: number, events: readonly Event[], next: number) => void
  /** It stands in the log, and nothing will come of it. */
  readonly onSkipped: (event: Event) => void
  /** Called for each event once all that follows from it is done. */
  readonly onDone: (event: Event) => void
  /** Called once all events of a batch are done, before it is committed. */
  readonly afterBatch: () => Promise<void>
  /** Called whenever `projectedTo` has changed by events. */
  readonly onProjected: (partition: number) => void
  /** Everything below `next` is reacted to; the highest id among it, 0 for none. */
  readonly onReacted: (partition: number, next: number, highestId: number) => void
  /** These are about to be ours, and nothing of them has been read. */
  readonly onGained: (partitions: ReadonlySet<number>) => Promise<void>
  /** Where to begin, at the watermark or before it. */
  readonly startAt: (partition: number, watermark: number) => number
  /** It is ours, and is read from now on. */
  readonly onOwned: (partition: number, from: number) => void
  /** These are not ours any more. */
  readonly onLost: (partitions: ReadonlySet<number>) => void
  /** Up to where a partition may be saved as done, of which everything below `reacted` is. */
  readonly savable: (partition: number, reacted: number) => number
  /** Writes what must be known of the events below a checkpoint, which are not read again. */
  readonly beforeCheckpoint: () => Promise<void>
  readonly checkpointMs?: number
  /** The worker cannot go on; the process should end. */
  readonly onFatal: (error: unknown) => void
}

const highestOf = (events: readonly Event[]): number =>
  events.reduce((highest, { id }) => Math.max(highest, id), 0)

export function createWorker(options: WorkerOptions): Worker {
  const { env, log, store, domains, waiters, onDone } = options
  const projectedTo = new Array<number>(log.partitions).fill(0)
  const reactedTo = new Array<number>(log.partitions).fill(0)
  const replayedTo = new Array<number>(log.partitions).fill(0)
  /** By partition, the assignment with which it came: one that went and came back is another one's work meanwhile. */
  let assigned: ReadonlyMap<number, number> = new Map()
  let assignments = 0
  const owned = new Set<number>()
  const handover = createHandover()
  const checkpoints = createCheckpoints({
    env,
    everyMs: options.checkpointMs ?? CHECKPOINT_MS,
    save,
    onError: fail,
  })
  let consumer: LogConsumer | undefined
  let collector: Collector | undefined
  let stopped = false
  /** It still goes on, but does not wait for long any more. */
  let ending = false
  let failure: unknown
  const idlers: (() => void)[] = []
  let loops: Promise<unknown> = Promise.resolve()
  let gaining: Promise<void> = Promise.resolve()

  function fail(error: unknown): void {
    if (failure !== undefined || isOnlyEnding(error)) return
    failure = error
    stopped = true
    waiters.end(error)
    handover.end()
    wakeIdlers()
    options.onFatal(error)
  }

  /** At the end, an engine that is away is no reason to call it anything else. */
  const isOnlyEnding = (error: unknown): boolean => ending && isRetriable(error)

  function wakeIdlers(): void {
    for (const wake of idlers.splice(0)) wake()
  }

  const retry = <T>(task: () => Promise<T>) => retrying(env, () => stopped || ending, task)
  const intake = createIntake(options, retry)

  function onAssigned(partitions: readonly number[]): void {
    const since = ++assignments
    assigned = new Map(partitions.map((partition) => [partition, assigned.get(partition) ?? since]))
    const lost = new Set([...owned].filter((partition) => !assigned.has(partition)))
    for (const partition of lost) owned.delete(partition)
    handover.drop(lost)
    if (lost.size > 0) options.onLost(lost)
    gaining = gaining.then(gain).catch((error: unknown) => {
      if (!stopped) fail(error)
    })
  }

  async function gain(): Promise<void> {
    const given = assigned
    const fresh = new Set([...given.keys()].filter((partition) => !owned.has(partition)))
    if (fresh.size === 0 || stopped) return
    // Before anything else is read of them: what an owner before did later is then read again.
    const watermark = await retry(() => store.watermark())
    const bounds = await retry(() => log.bounds())
    await retry(() => options.onGained(fresh))
    for (const partition of fresh) {
      // Gone meanwhile, perhaps to come back, or the process ends.
      if (assigned.get(partition) !== given.get(partition) || stopped) continue
      // A store without a watermark may have lost everything: what the group has committed says nothing of it.
      const { start } = bounds[partition]
      const from = Math.max(options.startAt(partition, watermark[partition] ?? start), start)
      projectedTo[partition] = reactedTo[partition] = from
      replayedTo[partition] = bounds[partition].end
      owned.add(partition)
      options.onOwned(partition, from)
      await consumer?.seek(partition, from)
    }
    wakeIdlers()
  }

  /** What comes of a partition before its place is known is from somewhere else. */
  const isNextOf = (positions: readonly number[], { partition, from }: LogBatch): boolean =>
    owned.has(partition) && from <= positions[partition]

  /** Of several partitions at once: what they read and write is then read and written at once. */
  async function projectBatches(batches: readonly LogBatch[]): Promise<void> {
    const { taken, skipped } = await intake.take(batches)
    const isAlone = batches.length === 1
    for (const batch of batches) {
      const ofBatch = (events: readonly Event[]) =>
        isAlone ? events : events.filter(({ partition }) => partition === batch.partition)
      done(batch, { taken: ofBatch(taken), skipped: ofBatch(skipped) })
    }
  }

  /** What is told of a partition is told from here on: how far it is, and what was passed over on the way there. */
  function done(batch: LogBatch, { taken, skipped }: TakenIn): void {
    const { partition } = batch
    // Gone meanwhile: what was written is right, and all the same it is the next owner's to tell.
    if (!isNextOf(projectedTo, batch)) return
    projectedTo[partition] = Math.max(projectedTo[partition], batch.next)
    handover.put({ batch, events: taken })
    // Before what goes on lets their writers go on, too.
    for (const event of skipped) options.onSkipped(event)
    options.apply(partition, taken, batch.next)
    for (const event of skipped) onDone(event)
    if (taken.length + skipped.length > 0) options.onProjected(partition)
  }

  async function projectLoop(): Promise<void> {
    while (!stopped) {
      await handover.room()
      const batches = stopped ? undefined : await collector?.collect()
      if (batches === undefined) return
      const next = batches.filter((batch) => isNextOf(projectedTo, batch))
      if (next.length > 0) await projectBatches(next)
    }
  }

  async function reactLoop(): Promise<void> {
    for (;;) {
      const taken = await handover.take()
      if (taken === undefined) return
      await react(taken)
      wakeIdlers()
      if (checkpoints.isDue) await checkpoints.save()
    }
  }

  async function react(projected: readonly Projected[]): Promise<void> {
    const events = projected.length === 1 ? projected[0].events : projected.flatMap((one) => one.events)
    for (const domain of events.length > 0 ? domains : [])
      if (domain.react !== undefined) await retry(async () => domain.react?.(events))
    for (const event of events) onDone(event)
    handover.done(projected)
    if (events.length > 0) await retry(options.afterBatch)
    for (const one of projected) await commit(one)
  }

  async function commit({ batch, events }: Projected): Promise<void> {
    const { partition } = batch
    // Gone meanwhile, and perhaps back again: then it has begun anew.
    if (!isNextOf(reactedTo, batch)) return
    reactedTo[partition] = Math.max(reactedTo[partition], batch.next)
    checkpoints.ahead(events.length)
    options.onReacted(partition, batch.next, highestOf(events))
    if (!stopped) await consumer?.commit(partition, batch.next)
  }

  /** What was reacted to is also projected, so replaying from there misses neither. */
  async function save(): Promise<boolean> {
    const isOurs = (partition: number) => owned.has(partition)
    const positions = reactedTo.map((reacted, partition) =>
      isOurs(partition) ? options.savable(partition, reacted) : 0,
    )
    const isLeft = reactedTo.some((reacted, partition) => isOurs(partition) && positions[partition] < reacted)
    try {
      await retry(options.beforeCheckpoint)
      await retry(() => store.checkpoint(positions))
      await log.release(positions)
    } catch (error) {
      // At the end it may go without: the next one only begins further back.
      if (!isOnlyEnding(error)) throw error
    }
    return isLeft
  }

  /** Waits until `isSo`, looked at whenever something has changed. */
  async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
    for (;;) {
      if (failure !== undefined) throw failure
      if (stopped || (await isSo())) return
      await new Promise<void>((resolve) => void idlers.push(resolve))
    }
  }

  return {
    checkpoint: checkpoints.save,
    unsavedMs: checkpoints.unsavedMs,
    owned,
    projectedTo: (partition) => projectedTo[partition],
    reactedTo: (partition) => reactedTo[partition],
    isWhole: (partition) => owned.has(partition) && projectedTo[partition] >= replayedTo[partition],
    backlogEvents: () => handover.events,
    isReplayed: ({ partition, position }) => position < replayedTo[partition],
    async start() {
      consumer = await log.consumer(WORKER_GROUP, onAssigned)
      collector = createCollector(env, consumer, log.partitions)
      loops = Promise.all([projectLoop(), reactLoop()]).catch(fail)
      checkpoints.start()
    },
    async idle() {
      await until(() => owned.size === log.partitions)
      await until(async () => (await log.bounds()).every(({ end }, partition) => reactedTo[partition] >= end))
    },
    async stop() {
      ending = true
      // Before it leaves: whoever has its partitions next begins where it was.
      if (failure === undefined) await checkpoints.stop()
      stopped = true
      await consumer?.close()
      handover.end()
      await loops
      await gaining
      wakeIdlers()
      waiters.end()
      if (failure === undefined) await checkpoints.stop()
    },
  }
}
