/**
 * Reads the partitions of the log that this process owns and projects them batch by batch: events become rows
 * (`intake.ts`), writers get their answers, and the batch goes to the reactors (`reactors.ts`). What every reactor
 * that holds a view has finished is committed, and saved with the next checkpoint.
 */

import type { Env } from '../../ports/env/env.ts'
import { retrying } from '../../ports/env/retry.ts'
import type { Log, LogBatch, LogConsumer } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Event } from '../events.ts'
import { createCheckpoints, type Checkpoints } from './checkpoints.ts'
import { createCollector, type Collector } from './collector.ts'
import { createIntake, type IntakeOptions, type TakenIn } from './intake.ts'
import type { Ownership } from './ownership.ts'
import { createPartitions, type Partitions } from './partitions.ts'
import type { Projected } from './projected.ts'
import { createReact } from './react.ts'
import { createReactors, type Reactors } from './reactors.ts'
import { createReread } from './reread.ts'
import { createRun, type Run } from './run.ts'
import { createSave } from './save.ts'
import type { Timers } from '../timers/timers.ts'
import type { Waiters } from './waiters.ts'

/** The group of readers of the log that all workers belong to. */
export const WORKER_GROUP = 'worker'

export interface Worker {
  /** Joins the group of readers; goes on by itself. */
  start(): Promise<void>
  /** The event stood in the log when this worker gained its partition: an earlier owner may have reacted to it. */
  isReplayed(event: Event): boolean
  readonly owned: ReadonlySet<number>
  /** Of a partition that is owned. */
  projectedTo(partition: number): number
  /** Everything below is done by all reactors that hold a view. */
  reactedTo(partition: number): number
  /** Everything below is done by all reactors that hold this view. */
  viewDoneTo(view: string, partition: number): number
  /** The partition is owned, and everything that an earlier owner may have projected is projected. */
  isWhole(partition: number): boolean
  /** Projected events that wait for a reactor which holds a view. */
  backlogEvents(): number
  readonly reactors: Pick<Reactors, 'lags'>
  /** Resolves when this process owns every partition and has projected and reacted to everything appended so far. */
  idle(): Promise<void>
  /** Resolves when reactors that hold only the log have reacted to everything projected here so far. */
  reacted(): Promise<void>
  checkpoint(): Promise<void>
  /** For how long there has been something that a start after a crash would do again; 0 when there is nothing. */
  unsavedMs(): number
  stop(): Promise<void>
}

export interface WorkerOptions extends IntakeOptions {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  /** Names of the views. */
  readonly views: readonly string[]
  readonly waiters: Waiters
  readonly ownership: Ownership
  readonly timers: Timers
  /** Rows of these events stand: brings caches up to date and lets writers go on. */
  readonly apply: (partition: number, events: readonly Event[], next: number) => void
  /** The projection has passed over this event. */
  readonly onSkipped: (event: Event) => void
  readonly onNotice: (text: string) => void
  /** The worker cannot go on; the process should end. */
  readonly onFatal: (error: unknown) => void
}

interface Parts {
  readonly run: Run
  readonly partitions: Partitions
  readonly reactors: Reactors
  readonly checkpoints: Checkpoints
  readonly project: (batches: readonly LogBatch[]) => Promise<void>
}

export function createWorker(options: WorkerOptions): Worker {
  const { env, log, waiters } = options
  const run = createRun(options.onFatal, (error) => {
    waiters.end(error)
    void parts.reactors.end()
  })
  let consumer: LogConsumer | undefined
  let collector: Collector | undefined
  let loops: Promise<unknown> = Promise.resolve()
  const parts = build(options, run, () => consumer)
  const { partitions, reactors, checkpoints, project } = parts

  async function projectLoop(): Promise<void> {
    while (!run.isStopped) {
      await reactors.room()
      const batches = run.isStopped ? undefined : await collector?.collect()
      if (batches === undefined) return
      const next = batches.filter(partitions.isNext)
      if (next.length > 0) await project(next)
    }
  }

  const isDoneTo = async (): Promise<boolean> =>
    (await log.bounds()).every(({ end }, partition) => reactors.reactedTo(partition) >= end)

  return {
    checkpoint: checkpoints.save,
    unsavedMs: checkpoints.unsavedMs,
    owned: partitions.owned,
    projectedTo: partitions.projectedTo,
    reactedTo: reactors.reactedTo,
    viewDoneTo: reactors.viewDoneTo,
    isWhole: (partition) =>
      partitions.owned.has(partition) &&
      partitions.projectedTo(partition) >= partitions.replayedTo(partition),
    backlogEvents: reactors.backlogEvents,
    reactors,
    isReplayed: ({ partition, position }) => position < partitions.replayedTo(partition),
    async start() {
      consumer = await log.consumer(WORKER_GROUP, (given) => partitions.assign(given, () => consumer))
      collector = createCollector(env, consumer, log.partitions)
      loops = Promise.all([projectLoop(), reactors.run()]).catch(run.fail)
      checkpoints.start()
    },
    async idle() {
      await run.until(() => partitions.owned.size === log.partitions)
      await run.until(isDoneTo)
      await this.reacted()
    },
    reacted: () => run.until(() => [...partitions.owned].every(reactors.isIdle)),
    async stop() {
      run.endSoon()
      await options.timers.stop()
      // Before it leaves the group: whoever has its partitions next begins where this worker was.
      if (!run.hasFailed) await checkpoints.stop()
      run.stop()
      await consumer?.close()
      await reactors.end()
      await loops
      await partitions.gained()
      waiters.end()
      if (!run.hasFailed) await checkpoints.stop()
    },
  }
}

function build(options: WorkerOptions, run: Run, consumer: () => LogConsumer | undefined): Parts {
  const { env, log, store, ownership, deadLetters, decode, timers } = options
  const retry = <T>(task: () => Promise<T>) => retrying(env, () => run.isEnding, task)
  const partitions = createPartitions({
    log,
    store,
    ownership,
    reactors: () => reactors,
    timers,
    retry,
    isStopped: () => run.isStopped,
    onError: run.fail,
    onGained: run.moved,
  })
  const reactors = createReactors({
    env,
    log,
    store,
    reactors: options.reactors,
    views: options.views,
    react: createReact({ env, deadLetters, retry, recall: options.projector.recall }),
    reread: createReread({ log, store, decode, retry }),
    decode,
    retry,
    isOwned: (partition) => partitions.owned.has(partition),
    projectedTo: partitions.projectedTo,
    onViewDone: (view, done) => retry(() => ownership.viewDone(view, done)),
    onDone: commit,
    onMoved: run.moved,
    onNotice: options.onNotice,
    onError: run.fail,
  })
  const checkpoints = createCheckpoints({
    env,
    everyMs: ownership.checkpointMs,
    save: createSave({ log, store, ownership, partitions, reactors, timers, retry, run }),
    onError: run.fail,
  })

  async function commit(done: readonly Projected[]): Promise<void> {
    ownership.done(done)
    const { partition, next } = done[done.length - 1]
    if (!partitions.owned.has(partition)) return
    checkpoints.ahead(done.reduce((events, { ids }) => events + ids.length, 0))
    if (!run.isStopped) await consumer()?.commit(partition, next)
    if (checkpoints.isDue) await checkpoints.save()
  }

  const project = createProject(options, retry, partitions, reactors)
  return { run, partitions, reactors, checkpoints, project }
}

/** Projects batches of several partitions at once: their rows are read and written together. */
function createProject(
  options: WorkerOptions,
  retry: <T>(task: () => Promise<T>) => Promise<T>,
  partitions: Partitions,
  reactors: Reactors,
): Parts['project'] {
  const intake = createIntake(options, retry)

  async function done(batch: LogBatch, { taken, skipped }: TakenIn): Promise<void> {
    const { partition, from, next } = batch
    // Lost meanwhile: the rows are right all the same, and telling of them is the next owner's work.
    if (!partitions.isNext(batch)) return
    partitions.advance(partition, next)
    const ids = [...taken, ...skipped].map(({ id }) => id)
    for (const events of [taken, skipped])
      for (const event of events) if (event.timer !== undefined) options.timers.ended(event)
    const put = reactors.put({ partition, from, next, events: taken, ids })
    // Writers of skipped events learn of it before `apply` lets them go on.
    for (const event of skipped) options.onSkipped(event)
    options.apply(partition, taken, next)
    if (ids.length > 0) options.ownership.projected(partition, taken)
    await put
  }

  return async (batches) => {
    const { taken, skipped } = await intake.take(batches)
    const isAlone = batches.length === 1
    for (const batch of batches) {
      const ofBatch = (events: readonly Event[]) =>
        isAlone ? events : events.filter(({ partition }) => partition === batch.partition)
      await done(batch, { taken: ofBatch(taken), skipped: ofBatch(skipped) })
    }
  }
}
