/**
 * All reactors of a process: gives each the events that it takes, and tells how far the views and the log are done.
 * `holding.ts` runs those that hold views, `log-reactor.ts` those that hold only the log.
 */

import { within } from '../../ports/env/deadlines.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Reactor } from '../domain.ts'
import type { EventDecoder } from '../events.ts'
import { createHoldingReactor, type HoldingReactor } from './holding.ts'
import { createLogReactor, type LogReactor } from './log-reactor.ts'
import { loadPositions, savePositions, type SavedPosition } from './positions.ts'
import type { Projected } from './projected.ts'
import type { React } from './react.ts'
import { createPick } from './redelivery.ts'
import type { Reread } from './reread.ts'
import { createTrail, type Trail } from './trails.ts'

export interface ReactorsOptions {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly reactors: readonly Reactor[]
  /** Names of the views. */
  readonly views: readonly string[]
  readonly react: React
  readonly reread: Reread
  readonly decode: EventDecoder
  readonly retry: <T>(task: () => Promise<T>) => Promise<T>
  readonly isOwned: (partition: number) => boolean
  readonly projectedTo: (partition: number) => number
  /** All reactors that hold this view have finished these batches, which are of one partition and in order. */
  readonly onViewDone: (view: string, done: readonly Projected[]) => Promise<void>
  /** All reactors that hold any view have finished these batches. */
  readonly onDone: (done: readonly Projected[]) => Promise<void>
  /** Something has changed that `isIdle` depends on. */
  readonly onMoved: () => void
  readonly onNotice: (text: string) => void
  /** A reactor that holds only the log cannot go on. */
  readonly onError: (error: unknown) => void
}

const LEFT_AFTER_MS = 3_000

export interface Reactors {
  /** Resolves when every reactor that holds a view has room for another batch. */
  room(): Promise<void>
  put(projected: Projected): Promise<void>
  /** This process owns the partition now, and projects it from `from` on. */
  begin(partitions: ReadonlyMap<number, { readonly from: number; readonly logEnd: number }>): Promise<void>
  /** `projectedTo` stands for the partitions that have begun. */
  begun(): void
  drop(partitions: ReadonlySet<number>): void
  /** Everything below is done by all reactors that hold a view. */
  reactedTo(partition: number): number
  viewDoneTo(view: string, partition: number): number
  /** Projected events that wait for a reactor which holds a view. */
  backlogEvents(): number
  /** By reactor that holds only the log, about how many events it is behind. */
  lags(): readonly { readonly reactor: string; readonly events: number }[]
  /** The log must keep the partition's records from here on. */
  neededFrom(partition: number): number
  /** Every reactor that holds only the log has reacted to everything projected of the partition. */
  isIdle(partition: number): boolean
  savePositions(partitions: Iterable<number>): Promise<void>
  run(): Promise<void>
  /** No more batches come. Resolves when reactors that hold only the log may be left as they are. */
  end(): Promise<void>
}

export function createReactors(options: ReactorsOptions): Reactors {
  const { log, store } = options
  const { holding, others, viewTrails, trail, onDone } = build(options)
  const running: Promise<void>[] = []

  return {
    async room() {
      for (const reactor of holding) await reactor.room()
    },
    async put(projected) {
      for (const own of viewTrails.values()) own.put(projected)
      trail.put(projected)
      for (const reactor of holding) reactor.put(projected)
      for (const reactor of others) reactor.put(projected)
      // With nobody to wait for, the batch is done already.
      if (holding.length === 0) await onDone([projected.partition])
    },
    async begin(partitions) {
      for (const [partition, { from }] of partitions) {
        for (const one of [...viewTrails.values(), trail, ...holding]) one.begin(partition, from)
      }
      for (const reactor of others) await begin(options, reactor, partitions)
    },
    begun() {
      for (const reactor of others) reactor.look()
    },
    drop(partitions) {
      for (const reactor of [...holding, ...others]) reactor.drop(partitions)
    },
    reactedTo: (partition) => trail.takenTo(partition),
    viewDoneTo: (view, partition) => viewTrails.get(view)?.takenTo(partition) ?? 0,
    backlogEvents: () => holding.reduce((most, { events }) => Math.max(most, events), 0),
    lags: () => others.map((one) => ({ reactor: one.reactor.name, events: one.lagEvents() })),
    neededFrom: (partition) =>
      others.reduce((least, one) => Math.min(least, one.doneTo(partition)), Infinity),
    isIdle: (partition) => others.every((one) => one.doneTo(partition) >= options.projectedTo(partition)),
    async savePositions(partitions) {
      const positions = [...partitions].flatMap((partition) =>
        others.map((one) => ({ reactor: one.reactor.name, partition, position: one.doneTo(partition) })),
      )
      await savePositions(store, log.epoch, positions)
    },
    async run() {
      for (const one of others) running.push(one.run().catch(options.onError))
      await Promise.all(holding.map((one) => one.run()))
    },
    async end() {
      for (const one of holding) one.end()
      await Promise.all(others.map((one) => one.end()))
      // One that hangs is left as it is: its position is saved, and the next process goes on from there.
      await within(options.env, LEFT_AFTER_MS, Promise.all(running)).catch(() => undefined)
    },
  }
}

/** A new reactor's first position is saved at once: after a crash it must not begin at a later end of the log. */
async function begin(
  { store, log, retry }: ReactorsOptions,
  reactor: LogReactor,
  partitions: ReadonlyMap<number, Begin>,
): Promise<void> {
  const { name, begins = 'end' } = reactor.reactor
  const numbers = [...partitions.keys()]
  const saved = await retry(() => loadPositions(store, log.epoch, name, numbers))
  const fresh: SavedPosition[] = []
  numbers.forEach((partition, i) => {
    const { from, logEnd } = partitions.get(partition) as Begin
    // Beginning at a checkpoint that lies further back than its own position repairs what a damaged store lost.
    const position = begins === 'end' ? (saved[i] ?? logEnd) : Math.min(saved[i] ?? from, from)
    if (saved[i] === undefined) fresh.push({ reactor: name, partition, position })
    reactor.begin(partition, position)
  })
  await retry(() => savePositions(store, log.epoch, fresh))
}

interface Begin {
  readonly from: number
  readonly logEnd: number
}

interface Built {
  readonly holding: readonly HoldingReactor[]
  readonly others: readonly LogReactor[]
  readonly viewTrails: ReadonlyMap<string, Trail>
  /** Of all views together. */
  readonly trail: Trail
  /** A reactor that holds views has moved on in these partitions. */
  readonly onDone: (partitions: readonly number[]) => Promise<void>
}

function build(options: ReactorsOptions): Built {
  const { log, react, isOwned, projectedTo, onMoved, onNotice } = options
  const { partitions } = log
  const holding: HoldingReactor[] = []
  const others: LogReactor[] = []
  for (const reactor of options.reactors) {
    const pick = createPick(reactor, options.decode)
    if (reactor.holds !== 'log') {
      holding.push(createHoldingReactor({ reactor, pick, partitions, react, isOwned, onDone }))
      continue
    }
    const onMissed = ({ name }: Reactor, partition: number, from: number, to: number) =>
      onNotice(
        `reactor ${name} has missed records ${from} to ${to} of partition ${partition}: retention removed them before it had read them`,
      )
    const { reread } = options
    others.push(
      createLogReactor({ reactor, pick, log, react, reread, projectedTo, onDone: onMoved, onMissed }),
    )
  }
  const holdersOf = (view: string) => holding.filter(({ reactor }) => reactor.holds.includes(view))
  const viewTrails = new Map(options.views.map((view) => [view, createTrail(partitions, holdersOf(view))]))
  const trail = createTrail(partitions, holding)

  async function onDone(moved: readonly number[]): Promise<void> {
    for (const partition of moved) {
      for (const [view, own] of viewTrails) {
        const done = own.take(partition)
        if (done.length > 0) await options.onViewDone(view, done)
      }
      const done = trail.take(partition)
      if (done.length > 0) await options.onDone(done)
    }
    onMoved()
  }

  return { holding, others, viewTrails, trail, onDone }
}
