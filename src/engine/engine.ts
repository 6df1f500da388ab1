/**
 * The engine: ports and domains joined into the one flow, command → log → rows → what follows. Domains bring
 * the meaning; what is here would serve any of them.
 */

import { createIdSource, type IdSource } from '../core/ids.ts'
import { isRivuletError, RivuletError } from '../core/errors.ts'
import type { Env } from '../ports/env/env.ts'
import type { Log } from '../ports/log/log.ts'
import type { Store } from '../ports/store/store.ts'
import type { Views } from '../ports/views/views.ts'
import type { Domain } from './domain.ts'
import { encodeEvent, eventDecoder, type Event, type EventType, type Idempotency } from './events.ts'
import { createHorizon, type Horizon } from './horizon.ts'
import { createProjector } from './project.ts'
import { loadHighestId, saveHighestId } from './highest-id.ts'
import { everyLane } from './view-lanes.ts'
import { createWorker, type Worker } from './worker.ts'

/** Above this many events on their way to the views, new writes are refused rather than queued without end. */
const LAG_EVENTS_MAX = 100_000

export interface EngineOptions {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly views: Views
  readonly onFatal: (error: unknown) => void
}

/** What every domain is built on. */
export interface EngineContext {
  readonly env: Env
  readonly store: Store
  readonly views: Views
  readonly ids: IdSource
  readonly horizon: Horizon
  readonly produce: Produce
  /** Events whose effects on the views are still to come, from the moment of their id on. */
  lagEvents(): number
  /** The event stood in the log when this process started: another may have reacted to it before. */
  isReplayed(event: Event): boolean
  /**
   * Timelines from before this process live on, and what was decided on this event then may have been another
   * thing: rows that say so may have gone in a crash.
   */
  mayHaveBeenOtherwise(event: Event): boolean
  /** Tells the views how far fan-out has come. */
  publishHorizon(): Promise<void>
  readonly onFatal: (error: unknown) => void
}

/**
 * Appends one event and waits until its rows stand, so that its writer reads its own write.
 * Rejects with `overloaded` (nothing happened) or `outcome_unknown` (it may have).
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

export interface Engine extends EngineContext {
  readonly worker: Worker
  start(): Promise<void>
  /** Resolves when nothing is left to do: everything appended is projected, fanned out and backfilled. */
  settle(): Promise<void>
  stop(): Promise<void>
}

export interface EngineParts {
  readonly domains: readonly Domain[]
  /** Background work that `settle` waits for. */
  readonly background: readonly { idle(): Promise<void> }[]
}

export function createEngine(options: EngineOptions, build: (context: EngineContext) => EngineParts): Engine {
  const { env, log, store, views } = options
  const ids = createIdSource(env.wallMs)
  const horizon = createHorizon(ids)
  let stopping = false
  let viewsSurvived = false
  /** The horizon at which every timeline that an earlier process left is intact. */
  let intactFrom = 0

  const produce: Produce = async (type, key, body, once) => {
    if (stopping)
      throw new RivuletError('shutting_down', 'the server is going away; try another one', {
        retryAfterMs: 1_000,
      })
    if (horizon.unfinished >= LAG_EVENTS_MAX) {
      throw new RivuletError('overloaded', 'fan-out is too far behind to take more writes', {
        retryAfterMs: 1_000,
      })
    }
    const { id, appended } = append(type, key, body, once)
    const [position] = await appended
    await worker.projected(log.partitionOf(key), position)
    return { id, position }
  }

  /** Stamps and appends without a pause between the two, so that ids rise with positions. */
  function append<B>(type: EventType<B>, key: number, body: B | ((id: number) => B), once?: Idempotency) {
    const id = ids.next()
    const value = encodeEvent(
      type,
      id,
      key,
      typeof body === 'function' ? (body as (id: number) => B)(id) : body,
      once,
    )
    horizon.stamped(id)
    const appended = log.append([{ key, value }]).catch((error: unknown) => {
      // One that may have entered is done when it is read.
      if (!isRivuletError(error, 'outcome_unknown')) horizon.withdrawn(id)
      throw error
    })
    return { id, appended }
  }

  const publishHorizon = () => horizon.publish((id) => views.advance(everyLane(views.lanes, id)))

  const lagEvents = () => horizon.unfinished
  const isReplayed = (event: Event) => worker.isReplayed(event)
  const mayHaveBeenOtherwise = (event: Event) => viewsSurvived && isReplayed(event)
  const { onFatal } = options
  const context: EngineContext = {
    env,
    store,
    views,
    ids,
    horizon,
    produce,
    lagEvents,
    isReplayed,
    mayHaveBeenOtherwise,
    publishHorizon,
    onFatal,
  }
  const { domains, background } = build(context)
  const worker: Worker = createWorker({
    env,
    log,
    store,
    domains,
    decode: eventDecoder(domains.flatMap((domain) => domain.events)),
    project: createProjector(store, domains),
    appendDerived: async (derived) => {
      await Promise.all(derived.map(({ type, key, body }) => append(type, key, body).appended))
    },
    onRead: (event) => ids.observe(event.id),
    onDone: (event) => horizon.done(event.id),
    afterBatch: publishHorizon,
    // Before anything was published, what held at the start holds still.
    beforeCheckpoint: () => saveHighestId(store, ids, horizon.published || intactFrom),
    onFatal,
  })

  async function settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      await worker.idle()
      for (const task of background) await task.idle()
    }
  }

  return {
    ...context,
    worker,
    settle,
    async start() {
      intactFrom = await loadHighestId(store, ids)
      viewsSurvived = await views.adopt(everyLane(views.lanes, intactFrom))
      for (const domain of domains) await domain.start?.()
      await worker.start()
      await worker.idle()
    },
    async stop() {
      stopping = true
      // Together: what the worker waits for may be what a domain holds back until it is stopped.
      const workerStopped = worker.stop()
      for (const domain of domains) await domain.stop?.()
      await workerStopped
    },
  }
}
