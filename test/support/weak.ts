/**
 * Ports at their weakest: everything that a contract does not promise fails here at random, drawn from a seed. Domain tests
 * run on these ports, so that no code relies on what an embedded adapter happens to do. The ports keep what the contracts
 * do promise: the conformance suites run on them, too (test/ports/weak.test.ts).
 */

import { RivuletError } from '../../src/core/errors.ts'
import type { Env } from '../../src/ports/env/env.ts'
import type { Log, LogBatch, LogCursor, LogRecord } from '../../src/ports/log/log.ts'
import type { RowWrite, Store } from '../../src/ports/store/store.ts'
import type { Views } from '../../src/ports/views/views.ts'

export interface Weakness {
  /** Chance that a call is delayed, a few times over. */
  readonly delay: number
  /** Chance that a batch of the log is delivered again later. */
  readonly duplicate: number
  /** Chance that a write is made but reported as failed. */
  readonly unknown: number
  /** Chance that the partitions of one write are written one after the other, in any order: a kill may come between. */
  readonly torn?: number
  /** Chance that a read of the store fails. */
  readonly unavailable: number
  /** Chance that an append is done and reported as `outcome_unknown`. */
  readonly unknownAppend?: number
  /** Counts the faults that really happened. */
  readonly happened: Record<string, number>
}

export interface WeakPorts {
  readonly log: Log
  readonly store: Store
  readonly views: Views
  /** The process is dead: from now on no call is answered. */
  kill(): void
}

export function weaken(
  env: Pick<Env, 'yield'>,
  random: () => number,
  ports: { log: Log; store: Store; views: Views },
  weakness: Weakness,
): WeakPorts {
  let dead = false
  const chance = (p: number, what: string) => {
    if (random() >= p) return false
    weakness.happened[what] = (weakness.happened[what] ?? 0) + 1
    return true
  }
  const never = new Promise<never>(() => {})

  async function pause(): Promise<void> {
    for (let turns = 0; turns < 5 && random() < weakness.delay; turns++) await env.yield()
    if (dead) await never
  }

  /** Calls that have no answer yet: a port that is closed answers them first. */
  const underWay = new Set<Promise<unknown>>()

  function tracked<R>(call: Promise<R>): Promise<R> {
    underWay.add(call)
    const end = () => void underWay.delete(call)
    call.then(end, end)
    return call
  }

  /** Delays before and after the effect, so that an answer may be outdated when the caller gets it. */
  function slow<A extends unknown[], R>(task: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    const call = async (args: A) => {
      await pause()
      const result = await task(...args)
      await pause()
      return result
    }
    return (...args) => tracked(call(args))
  }

  async function closeAfter(port: { close(): Promise<void> }): Promise<void> {
    if (!dead) await Promise.allSettled(underWay)
    await port.close()
  }

  const unavailable = () => new RivuletError('unavailable', 'a store that is away for a moment')

  const { log, store, views } = ports

  async function writeTorn(rows: readonly RowWrite[]): Promise<void> {
    const groups = new Map<string, RowWrite[]>()
    for (const row of rows) groups.set(row.partition, [...(groups.get(row.partition) ?? []), row])
    const left = [...groups.values()]
    while (left.length > 0) {
      const [group] = left.splice(Math.floor(random() * left.length), 1)
      await store.write(group)
      await pause()
    }
  }

  const weakStore: Store = {
    get: slow(async (keys) => {
      if (chance(weakness.unavailable, 'storeUnavailable')) throw unavailable()
      return store.get(keys)
    }),
    range: slow((ranges) => store.range(ranges)),
    write: slow(async (rows) => {
      if (chance(weakness.torn ?? 0, 'tornWrite')) await writeTorn(rows)
      else await store.write(rows)
      if (chance(weakness.unknown, 'unknownWrite')) throw unavailable()
    }),
    insertIfAbsent: slow((rows) => store.insertIfAbsent(rows)),
    scan: slow((table, after, limit) => store.scan(table, after, limit)),
    checkpoint: slow((positions) => store.checkpoint(positions)),
    watermark: () => store.watermark(),
    close: () => closeAfter(store),
  }

  const weakViews: Views = {
    capacity: views.capacity,
    lanes: views.lanes,
    insert: slow((spreads) => views.insert(spreads)),
    advance: slow((horizons) => views.advance(horizons)),
    open: slow((owners) => views.open(owners)),
    merge: slow((owner, epoch, entries) => views.merge(owner, epoch, entries)),
    settle: slow((owner, epoch, floor) => views.settle(owner, epoch, floor)),
    // No delay after it: the entries of a page are valid until the next await only.
    range: async (owner, below, limit) => {
      await pause()
      return views.range(owner, below, limit)
    },
    evict: slow((owners) => views.evict(owners)),
    adopt: (horizons) => views.adopt(horizons),
    stats: () => views.stats(),
    close: () => closeAfter(views),
  }

  /** Per key, the delay of its last append. */
  const turns = new Map<number, Promise<unknown>>()

  /** Delays appends of different keys independently; those of one key stay in order. Takes the bytes before it returns. */
  async function append(records: readonly LogRecord[]): Promise<readonly number[]> {
    const taken = records.map(({ key, value }) => ({ key, value: Uint8Array.from(value) }))
    const keys = new Set(records.map(({ key }) => key))
    const turn = Promise.all(Array.from(keys, (key) => turns.get(key))).then(pause)
    for (const key of keys) turns.set(key, turn)
    await turn
    const positions = await log.append(taken)
    await pause()
    if (!chance(weakness.unknownAppend ?? 0, 'unknownAppend')) return positions
    throw new RivuletError('outcome_unknown', 'a log that is away for a moment')
  }

  const weakLog: Log = {
    epoch: log.epoch,
    partitions: log.partitions,
    partitionOf: (key) => log.partitionOf(key),
    append: (records) => tracked(append(records)),
    bounds: () => log.bounds(),
    release: (positions) => log.release(positions),
    close: () => closeAfter(log),
    async consumer(group, onAssigned) {
      const listen = onAssigned && ((partitions: readonly number[]) => void (dead || onAssigned(partitions)))
      const consumer = await log.consumer(group, listen)
      const commit = (partition: number, position: number) => consumer.commit(partition, position)
      return { ...weakCursor(consumer), commit }
    },
    follow: slow(async () => {
      const follower = await log.follow()
      const left = new Set<number>()
      const cursor = weakCursor(follower, left)
      return {
        ...cursor,
        seek(partition: number, position: number) {
          left.delete(partition)
          return cursor.seek(partition, position)
        },
        leave(partition: number) {
          left.add(partition)
          follower.leave(partition)
        },
      }
    }),
  }

  /** Returns smaller batches, and some of them twice, but none of partitions that were left. */
  function weakCursor(cursor: LogCursor, left: ReadonlySet<number> = new Set()): LogCursor {
    let again: LogBatch | undefined
    async function take(recordsMax: number): Promise<LogBatch | undefined> {
      if (dead) await never
      if (again !== undefined) {
        const batch = again
        again = undefined
        return batch
      }
      const batch = await cursor.next(Math.max(1, Math.floor(random() * recordsMax)))
      if (dead) await never
      if (batch !== undefined && chance(weakness.duplicate, 'duplicateBatch')) again = batch
      return batch
    }
    return {
      async next(recordsMax) {
        for (;;) {
          const batch = await take(recordsMax)
          if (batch === undefined || !left.has(batch.partition)) return batch
        }
      },
      seek(partition, position) {
        if (again?.partition === partition) again = undefined
        return cursor.seek(partition, position)
      },
      close: () => cursor.close(),
    }
  }

  return { log: weakLog, store: weakStore, views: weakViews, kill: () => (dead = true) }
}
