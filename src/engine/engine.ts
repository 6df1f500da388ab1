/**
 * The engine joins ports and domains into one flow: command → log → rows → reactors. Domains bring the meaning; nothing
 * in this folder knows a word of any domain.
 */

import { afterAccepted, assert, RivuletError } from '../core/errors.ts'
import type { Bus } from '../ports/bus/bus.ts'
import type { Env } from '../ports/env/env.ts'
import type { Ephemeral } from '../ports/ephemeral/ephemeral.ts'
import type { Log } from '../ports/log/log.ts'
import { rowVersion, type Store } from '../ports/store/store.ts'
import type { Views, ViewSpec } from '../ports/views/views.ts'
import { createAppender, type AppendStats, type Appender } from './append.ts'
import type { EngineContext, Produce, Produced } from './context.ts'
import type { Domain, DomainSpec } from './domain.ts'
import { assertSpecs, buildDomains, viewsOf, type Host } from './domains.ts'
import { eventDecoder, type Event, type EventType } from './events.ts'
import { createAlone } from './processes/alone.ts'
import type { Mode } from './processes/mode.ts'
import { progressed } from './processes/progress.ts'
import { createShared, type SharedOptions } from './processes/shared.ts'
import { createProjector, type Projector } from './rows/project.ts'
import { fired, withTimers } from './timers/fired.ts'
import { createTimers, type TimerStats } from './timers/timers.ts'
import { createDeadLetters, type DeadLetters } from './worker/dead-letters.ts'
import { redelivered } from './worker/redelivery.ts'
import type { View } from './view.ts'
import { createWaiters, type Waiters } from './worker/waiters.ts'
import { createWorker, type Worker } from './worker/worker.ts'

/** Above this many events of a domain on their way to the views, its new writes are refused, not queued without end. */
const LAG_EVENTS_MAX = 100_000

export interface EngineOptions {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  /** Opens a view of a domain. */
  readonly openView: (spec: ViewSpec) => Views
  readonly bus: Bus
  readonly ephemeral: Ephemeral
  readonly onFatal: (error: unknown) => void
  /** What an operator should know. */
  readonly onNotice?: ((text: string) => void) | undefined
  /** Set where other processes append to this log and read it, too. */
  readonly shared?: SharedOptions | undefined
}

export interface Engine extends EngineContext {
  /** What a domain offers. */
  use<A>(spec: DomainSpec<A>): A
  readonly views: readonly View[]
  readonly worker: Worker
  readonly appends: AppendStats
  /** Records that could not be taken in, and events that a reactor failed on. */
  readonly deadLetters: DeadLetters
  readonly timers: TimerStats
  /** Why no write can be taken now, if so, though log and store may be reached. */
  refusal(): string | undefined
  start(): Promise<void>
  /** Resolves when nothing is left to do: everything appended is projected and reacted to. */
  settle(): Promise<void>
  stop(): Promise<void>
}

const ignore = () => undefined

/** @param specs in the order in which they are built: a domain may use those before it */
export function createEngine(options: EngineOptions, specs: readonly DomainSpec[], host: Host): Engine {
  const { env, log, store, openView, bus, ephemeral, onFatal, onNotice = ignore, shared } = options
  assertSpecs(specs)
  const views = viewsOf(specs).map((spec) => ({ spec, entries: openView(spec) }))
  const waiters = createWaiters(env, log.partitions)
  const domainOf = domainsByType(specs)
  const ports = { env, log, store, views, waiters, domainOf, onFatal, onNotice }
  const mode = shared === undefined ? createAlone(ports) : createShared(ports, shared)
  const appender = createAppender({ env, log, ids: mode.ids, tracker: mode.append })
  const life = { isStopping: false }
  const isReplayed = (event: Event) => worker.isReplayed(event)
  const context: EngineContext = {
    ...{ env, store, bus, ephemeral, onFatal, onNotice, isReplayed },
    ...contextOf(mode, appender, log),
    produce: createProduce({ mode, appender, waiters, log, life, domainOf, projector: () => projector }),
    view: (spec) => viewOf(mode, spec),
  }
  const { domains, use } = buildDomains(specs, context, host)
  const { worker, projector, ...parts } = createFlow(
    { ...options, onNotice },
    { mode, appender, waiters, domains },
  )

  return {
    ...context,
    use,
    views: mode.views,
    worker,
    appends: appender.stats,
    deadLetters: parts.deadLetters,
    timers: parts.timers.stats,
    refusal: mode.append.refusal,
    async settle() {
      for (let round = 0; round < 2; round++) {
        await mode.settle()
        for (const { background = [] } of domains) for (const task of background) await task.idle()
      }
    },
    async start() {
      await mode.prepare()
      for (const domain of domains) await domain.start?.()
      await mode.start({ worker, recall: projector.recall, ...parts, ...parts.caches })
    },
    async stop() {
      life.isStopping = true
      // Together: the worker may wait for something that a domain holds back until it is stopped.
      const ended = [mode.stop(), ...domains.map(async (domain) => domain.stop?.())]
      for (const end of await Promise.allSettled(ended)) if (end.status === 'rejected') throw end.reason
    },
  }
}

interface FlowParts {
  readonly mode: Mode
  readonly appender: Appender
  readonly waiters: Waiters
  readonly domains: readonly Domain[]
}

/** What lies between the log and the views: decoding, projection, reactors, timers. */
function createFlow(
  { env, log, store, bus, onFatal, onNotice }: EngineOptions & Pick<EngineContext, 'onNotice'>,
  { mode, appender, waiters, domains }: FlowParts,
) {
  const types = domains.flatMap(({ events }) => events)
  const caches = createCaches(log.partitions, domains, waiters)
  const decode = withTimers(eventDecoder([progressed, redelivered, fired, ...types]))
  const projector = createProjector({ store, domains, onFault: tellFault(onNotice) })
  const deadLetters = createDeadLetters({ env, store, epoch: log.epoch, onNotice })
  const onRead = (event: Event) => mode.ids.observe(event.id)
  const timers = createTimers({
    ...{ env, store, appender, types },
    epoch: log.epoch,
    ids: mode.ids,
    partitionOf: (key) => log.partitionOf(key),
    onError: onFatal,
  })
  const worker = createWorker({
    ...{ env, log, store, waiters, decode, onRead, projector, timers, deadLetters, onNotice, onFatal },
    reactors: domains.flatMap(({ reactors = [] }) => reactors),
    views: mode.views.map(({ spec }) => spec.name),
    ownership: mode.ownership,
    apply: caches.apply,
    onSkipped({ partition, position }) {
      waiters.skip(partition, position)
      mode.skipped(partition, position)
    },
    onFollowing({ scheduled, signals }) {
      timers.scheduled(scheduled)
      // Whoever listens is right without a signal, only later.
      for (const { topic, message } of signals) bus.publish(topic, message).catch(ignore)
    },
    appendDerived: async ({ type, key, body }) => appender.append(type, key, body).appended,
  })
  return { caches, decode, projector, deadLetters, onRead, timers, worker }
}

function domainsByType(specs: readonly DomainSpec[]): (type: EventType<any>) => string {
  const names = new Map(specs.flatMap(({ name, events }) => events.map((type) => [type, name] as const)))
  return (type) => names.get(type) ?? 'engine'
}

const tellFault =
  (onNotice: (text: string) => void) =>
  ({ type, id }: Event, error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error)
    onNotice(`event ${id} (${type.name}) was refused because its domain failed to decide: ${reason}`)
  }

function viewOf(mode: Mode, { name }: ViewSpec): View {
  const view = mode.views.find(({ spec }) => spec.name === name)
  assert(view !== undefined, `the view ${name} is declared by a domain`)
  return view
}

/** What domains get of the mode and the log. */
const contextOf = (mode: Mode, appender: Appender, log: Log) => ({
  ids: mode.ids,
  async tell<B>(type: EventType<B>, key: number, body: B) {
    await appender.append(type, key, body).appended
  },
  isShared: mode.isShared,
  caughtUp: mode.caughtUp,
  awaitProjected: mode.awaitProjected,
  partitionOf: (key: number) => log.partitionOf(key),
  lagEvents: mode.lagEvents,
  backlogEvents: mode.backlogEvents,
})

interface ProduceOptions {
  readonly mode: Mode
  readonly appender: Appender
  readonly waiters: Waiters
  readonly log: Log
  readonly domainOf: (type: EventType<any>) => string
  readonly projector: () => Projector
  readonly life: { readonly isStopping: boolean }
}

function createProduce(options: ProduceOptions): Produce {
  const { mode, appender, waiters, log, domainOf, projector, life } = options
  const retryAfterMs = 1_000
  return async (type, key, body, once) => {
    if (life.isStopping) {
      throw new RivuletError('shutting_down', 'the server is going away; try another one', { retryAfterMs })
    }
    if (mode.lagEvents(domainOf(type)) >= LAG_EVENTS_MAX) {
      throw new RivuletError('overloaded', 'fan-out is too far behind to take more writes', { retryAfterMs })
    }
    assert(once === undefined || type.decision === undefined, `${type.name} recognises repeats by its order`)
    const { id, appended } = appender.append(type, key, body, once)
    const position = await appended
    const partition = log.partitionOf(key)
    const decision = await waiters.projected(partition, position)
    if (decision !== undefined || type.decision === undefined)
      return { id, position, decision } as Produced<any>
    const version = rowVersion(log.epoch, position)
    const event: Event = {
      type,
      id,
      key,
      body,
      idempotency: once,
      partition,
      position,
      version,
      decision,
      timer: undefined,
    }
    await afterAccepted(projector().recall([event]))
    return { id, position, decision: event.decision } as Produced<any>
  }
}

/** Types of events by which a domain keeps its caches. */
const cachedBy = ({ projected, caches, events }: Domain): readonly EventType<any>[] =>
  projected === undefined ? [] : (caches ?? events)

/** Keeps the domains' caches as new as the rows. */
function createCaches(partitions: number, domains: readonly Domain[], waiters: Waiters) {
  /** By partition, what caches have been brought up to date with. It outlives the ownership of a partition. */
  const applied = new Array<number>(partitions).fill(0)
  const needed = new Set(domains.flatMap(cachedBy))
  return {
    appliedTo: (partition: number) => applied[partition],
    apply(partition: number, events: readonly Event[], next: number): void {
      const isFresh = ({ position, type }: Event) => type.isNotice === true || position >= applied[partition]
      const fresh = events.every(isFresh) ? events : events.filter(isFresh)
      if (fresh.length > 0) for (const domain of domains) domain.projected?.(fresh)
      if (next > applied[partition]) applied[partition] = next
      for (const { position, decision } of fresh)
        if (decision !== undefined) waiters.decided(partition, position, decision)
      waiters.release(partition, next)
    },
    async forget(which: ReadonlySet<string> | 'all'): Promise<void> {
      for (const domain of domains) if (which === 'all' || which.has(domain.name)) await domain.forget?.()
    },
    isNeeded: (type: EventType<any>): boolean => needed.has(type) || type.decision !== undefined,
    async gained(partitions: ReadonlySet<number>): Promise<void> {
      for (const domain of domains) await domain.gained?.(partitions)
    },
  }
}
