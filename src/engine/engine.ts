/**
 * The engine: ports and domains joined into the one flow, command → log → rows → what follows. Domains bring
 * the meaning; what is here would serve any of them.
 */

import { Histogram, LATENCY_BOUNDS_MS } from '../core/histogram.ts'
import type { IdSource } from '../core/ids.ts'
import { RivuletError } from '../core/errors.ts'
import type { Env } from '../ports/env/env.ts'
import type { Log } from '../ports/log/log.ts'
import type { Store } from '../ports/store/store.ts'
import type { Views } from '../ports/views/views.ts'
import { createAlone } from './processes/alone.ts'
import { createDeadLetters, type DeadLetters } from './worker/dead-letters.ts'
import type { Domain } from './domain.ts'
import { encodeEvent, eventDecoder, type Event, type EventType, type Idempotency } from './events.ts'
import type { Horizon } from './horizon/horizon.ts'
import { progressed } from './processes/progress.ts'
import { createProjector } from './rows/project.ts'
import { createShared, type SharedOptions } from './processes/shared.ts'
import { createWaiters } from './worker/waiters.ts'
import { createWorker, type Worker } from './worker/worker.ts'

/** Above this many events on their way to the views, new writes are refused rather than queued without end. */
const LAG_EVENTS_MAX = 100_000

export interface EngineOptions {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly views: Views
  readonly onFatal: (error: unknown) => void
  /** What an operator should know. */
  readonly onNotice?: ((text: string) => void) | undefined
  /** Other processes append to this log and read it, too; without it, this one has everything to itself. */
  readonly shared?: SharedOptions | undefined
}

/** What every domain is built on. */
export interface EngineContext {
  readonly env: Env
  readonly store: Store
  readonly views: Views
  readonly ids: IdSource
  readonly horizon: Horizon
  readonly produce: Produce
  /** Appends what other processes are to know, and need not wait for. Rejects as `produce` does. */
  readonly tell: <B>(type: EventType<B>, key: number, body: B) => Promise<void>
  /** Other processes write, too: what is cached here may be a little behind. */
  readonly isShared: boolean
  /** Resolves once everything that was projected before, by anybody, is in this process's caches; of one key, if given. */
  caughtUp(key?: number): Promise<void>
  /**
   * Resolves once every event of this key that stood in the log before the call is projected, and in this process's
   * caches: what was derived from one that its writer has been answered for. Rejects with `unavailable` when that
   * takes too long.
   */
  awaitProjected(key: number): Promise<void>
  /** Where the events of a key are. */
  partitionOf(key: number): number
  /** Events whose effects on the views are still to come, from the moment of their id on. */
  lagEvents(): number
  /** Of those, the ones that wait for this process. */
  backlogEvents(): number
  /** The event stood in the log when its partition became this process's: another may have reacted to it before. */
  isReplayed(event: Event): boolean
  /**
   * Timelines from before this process live on, and what was decided on this event then may have been another
   * thing: rows that say so may have gone in a crash.
   */
  mayHaveBeenOtherwise(event: Event): boolean
  /** Tells the views how far fan-out has come. */
  publishHorizon(): Promise<void>
  /** Tells the operator. */
  readonly onNotice: (text: string) => void
  readonly onFatal: (error: unknown) => void
}

/**
 * Appends one event and waits until its rows stand, so that its writer reads its own write. Rejects with `overloaded`,
 * `unavailable` or `shutting_down` (nothing happened), or with `outcome_unknown` (it may have).
 */
export type Produce = <B>(
  type: EventType<B>,
  key: number,
  body: B | ((id: number) => B),
  once?: Idempotency,
) => Promise<Produced>

export interface Produced {
  readonly id: number
  readonly position: number
}

/** What this process has appended to the log, and how long the log took to say that it is durable. */
export interface AppendStats {
  records: number
  /** Of the events themselves, without what the log puts around them. */
  bytes: number
  /** In milliseconds; of appends that succeeded. */
  readonly latency: Histogram
}

export interface Engine extends EngineContext {
  readonly worker: Worker
  readonly appends: AppendStats
  /** Records that could not be taken in. */
  readonly deadLetters: DeadLetters
  /** Why no write can be taken now, if so, though log and store may be reached. */
  refusal(): string | undefined
  start(): Promise<void>
  /** Resolves when nothing is left to do: everything appended is projected, fanned out and backfilled. */
  settle(): Promise<void>
  stop(): Promise<void>
}

const ignore = () => undefined

export interface EngineParts {
  readonly domains: readonly Domain[]
  /** Background work that `settle` waits for. */
  readonly background: readonly { idle(): Promise<void> }[]
}

export function createEngine(options: EngineOptions, build: (context: EngineContext) => EngineParts): Engine {
  const { env, log, store, views, onFatal, onNotice = ignore, shared } = options
  const waiters = createWaiters(env, log.partitions)
  const ports = { env, log, store, views, waiters, onFatal, onNotice }
  const mode = shared === undefined ? createAlone(ports) : createShared(ports, shared)
  const { ids, horizon } = mode
  /** By partition, what caches have been brought up to date with: partitions change their owners. */
  const applied = new Array<number>(log.partitions).fill(0)
  const appends: AppendStats = { records: 0, bytes: 0, latency: new Histogram(LATENCY_BOUNDS_MS) }
  let stopping = false

  const produce: Produce = async (type, key, body, once) => {
    if (stopping)
      throw new RivuletError('shutting_down', 'the server is going away; try another one', {
        retryAfterMs: 1_000,
      })
    if (mode.lagEvents() >= LAG_EVENTS_MAX) {
      throw new RivuletError('overloaded', 'fan-out is too far behind to take more writes', {
        retryAfterMs: 1_000,
      })
    }
    const { id, appended } = append(type, key, body, once)
    const [position] = await appended
    await waiters.projected(log.partitionOf(key), position)
    return { id, position }
  }

  /** Stamps and appends without a pause between the two, so that ids rise with positions. */
  function append<B>(type: EventType<B>, key: number, body: B | ((id: number) => B), once?: Idempotency) {
    const refusal = mode.append.refusal()
    if (refusal !== undefined) throw new RivuletError('unavailable', refusal, { retryAfterMs: 1_000 })
    const id = ids.next()
    const value = encodeEvent(
      type,
      id,
      key,
      typeof body === 'function' ? (body as (id: number) => B)(id) : body,
      once,
    )
    mode.append.stamped(id, key)
    const startedAtMs = env.monotonicMs()
    const appended = log.append([{ key, value }]).then(
      (positions) => {
        appends.records++
        appends.bytes += value.byteLength
        appends.latency.observe(env.monotonicMs() - startedAtMs)
        mode.append.appended(id, key, positions[0], type.stands === true)
        return positions
      },
      (error: unknown) => {
        mode.append.failed(id, key, error)
        throw error
      },
    )
    return { id, appended }
  }

  const onRead = (event: Event) => ids.observe(event.id)
  const isReplayed = (event: Event) => worker.isReplayed(event)
  const context: EngineContext = {
    env,
    store,
    views,
    ids,
    horizon,
    produce,
    isReplayed,
    onFatal,
    onNotice,
    async tell(type, key, body) {
      await append(type, key, body).appended
    },
    isShared: mode.isShared,
    caughtUp: mode.caughtUp,
    awaitProjected: mode.awaitProjected,
    partitionOf: (key) => log.partitionOf(key),
    lagEvents: mode.lagEvents,
    backlogEvents: mode.backlogEvents,
    mayHaveBeenOtherwise: (event) => mode.survived(event.partition) && isReplayed(event),
    publishHorizon: mode.publish,
  }
  const { domains, background } = build(context)
  const decode = eventDecoder([progressed, ...domains.flatMap((domain) => domain.events)])

  function apply(partition: number, events: readonly Event[], next: number): void {
    const isFresh = ({ position, type }: Event) => type.stands === true || position >= applied[partition]
    const fresh = events.every(isFresh) ? events : events.filter(isFresh)
    if (fresh.length > 0) for (const domain of domains) domain.projected?.(fresh)
    if (next > applied[partition]) applied[partition] = next
    waiters.release(partition, next)
  }

  function skip({ partition, position }: Event): void {
    waiters.skip(partition, position)
    mode.skipped(partition, position)
  }

  async function forget(): Promise<void> {
    for (const domain of domains) await domain.forget?.()
  }

  async function gained(partitions: ReadonlySet<number>): Promise<void> {
    for (const domain of domains) await domain.gained?.(partitions)
  }

  const deadLetters = createDeadLetters({
    env,
    store,
    epoch: log.epoch,
    onNotice,
  })
  const worker: Worker = createWorker({
    ...mode.worker,
    deadLetters,
    env,
    log,
    store,
    domains,
    waiters,
    decode,
    onRead,
    apply,
    onSkipped: skip,
    project: createProjector(store, domains),
    appendDerived: async (derived) => {
      await Promise.all(derived.map(({ type, key, body }) => append(type, key, body).appended))
    },
    onFatal,
  })

  async function settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      await mode.settle()
      for (const task of background) await task.idle()
    }
  }

  return {
    ...context,
    worker,
    appends,
    deadLetters,
    refusal: mode.append.refusal,
    settle,
    async start() {
      await mode.prepare()
      for (const domain of domains) await domain.start?.()
      const appliedTo = (partition: number) => applied[partition]
      await mode.start({ worker, decode, onRead, apply, appliedTo, forget, gained })
    },
    async stop() {
      stopping = true
      // Together: what the worker waits for may be what a domain holds back until it is stopped.
      const ended = [mode.stop(), ...domains.map(async (domain) => domain.stop?.())]
      for (const end of await Promise.allSettled(ended)) if (end.status === 'rejected') throw end.reason
    },
  }
}
