/**
 * The contract of the views as the simplest code that fulfils it, and random commands to compare an adapter with it. Above
 * the floor, both must have the same entries. At or below it, an adapter may keep any of the entries that it was given.
 */

import fc from 'fast-check'
import { expect } from 'vitest'
import type { Entries, Keep, Views } from '../views.ts'

export interface Entry {
  readonly id: number
  readonly ref: number
  readonly kind: number
}

interface Timeline {
  readonly epoch: number
  readonly entries: Map<number, Entry>
  /** All ids that were given since `open`, kept or not. */
  readonly given: Set<number>
  floor: number
  trimmed: number
}

export const toEntries = (entries: readonly Entry[]): Entries => ({
  length: entries.length,
  ids: Float64Array.from(entries, (entry) => entry.id),
  refs: Uint32Array.from(entries, (entry) => entry.ref),
  kinds: Uint16Array.from(entries, (entry) => entry.kind),
})

export const fromEntries = (entries: Entries): Entry[] =>
  Array.from({ length: entries.length }, (_, row) => ({
    id: entries.ids[row],
    ref: entries.refs[row],
    kind: entries.kinds[row],
  }))

const idOf = (n: number): number => n * 2_999_999_929

const NUMBERS_MAX = 60
const number = fc.integer({ min: 1, max: NUMBERS_MAX })
/** Few owners, and one of them most of the time, so that timelines fill up and are trimmed. */
const owner = fc.constantFrom(0, 0, 0, 0, 0, 1, 70_000, 4_294_967_295)
export const LANES = 3
const lane = fc.nat(LANES - 1)

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('insert' as const),
      n: number,
      owners: fc.array(owner, { maxLength: 5 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('merge' as const),
      owner,
      ns: fc.uniqueArray(number, { maxLength: 40 }),
      stale: fc.nat(5),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('open' as const), owner }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('settle' as const),
      owner,
      n: fc.nat(NUMBERS_MAX),
      stale: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('evict' as const), owner }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('advance' as const), lane, n: number }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('adopt' as const), lane, n: fc.nat(3) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('range' as const),
      owner,
      below: fc.nat(NUMBERS_MAX + 1),
      limit: fc.nat(20),
    }),
  },
)

export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

export const scenario = fc.record({
  capacity: fc.constantFrom(1, 2, 3, 12, 13, 14, 27, 100),
  /** How many refs there are: with few, a view that keeps the latest replaces often, with many it trims. */
  refs: fc.constantFrom(2, 5, 16, 30, NUMBERS_MAX),
  commands: fc.array(command, { maxLength: 150, size: 'max' }),
})

export class Model {
  private readonly timelines = new Map<number, Timeline>()
  /** Owners of timelines that were given up: `insert` may leave them out when it counts absent owners. */
  private readonly lost = new Set<number>()
  private readonly epochs = new Map<number, Set<number>>()
  private readonly horizons = new Array<number>(LANES).fill(0)
  private readonly views: Views
  private readonly keep: Keep
  private readonly refs: number

  constructor(views: Views, keep: Keep, refs: number) {
    this.views = views
    this.keep = keep
    this.refs = refs
  }

  async apply(command: Command): Promise<void> {
    switch (command.type) {
      case 'insert':
        return this.insert(command.n, command.owners)
      case 'merge':
        return this.merge(command.owner, command.ns, command.stale === 0)
      case 'open':
        return this.open(command.owner)
      case 'settle':
        return this.settle(command.owner, command.n, command.stale === 0)
      case 'evict':
        this.timelines.delete(command.owner)
        this.lost.delete(command.owner)
        return this.views.evict([command.owner])
      case 'advance':
        return this.advance(command.lane, idOf(command.n))
      case 'adopt':
        return this.adopt(command.lane, idOf(command.n))
      case 'range':
        return this.compare(command.owner, idOf(command.below), command.limit)
    }
  }

  async compareAll(): Promise<void> {
    for (const owner of this.epochs.keys()) await this.compare(owner, Infinity, 1_000)
    const stats = this.views.stats()
    if (stats !== undefined) expect(stats.timelines).toBe(this.timelines.size)
    if (this.timelines.size > 0) expect(await this.views.adopt(new Map([[0, 0]]))).toBe(true)
  }

  private async advance(lane: number, id: number): Promise<void> {
    this.horizons[lane] = Math.max(this.horizons[lane], id)
    await this.views.advance(new Map([[lane, id]]))
  }

  private async adopt(lane: number, id: number): Promise<void> {
    const isBehind = this.horizons[lane] < id
    this.horizons[lane] = Math.max(this.horizons[lane], id)
    if (isBehind) {
      for (const owner of this.timelines.keys()) this.lost.add(owner)
      this.timelines.clear()
    }
    const isAny = await this.views.adopt(new Map([[lane, id]]))
    // Without timelines, an adapter may give either answer.
    if (isBehind || this.timelines.size > 0) expect(isAny).toBe(!isBehind)
  }

  private async insert(n: number, owners: readonly number[]): Promise<void> {
    const entry = this.entryOf(n)
    const counts = await this.views.insert([{ ...entry, owners: Uint32Array.from(owners) }])
    const absent = owners.filter((owner) => !this.timelines.has(owner))
    expect(counts.absent).toBeLessThanOrEqual(absent.length)
    expect(counts.absent).toBeGreaterThanOrEqual(absent.filter((owner) => !this.lost.has(owner)).length)
    for (const owner of owners) this.add(this.timelines.get(owner), [entry])
  }

  private async merge(owner: number, ns: readonly number[], stale: boolean): Promise<void> {
    const timeline = this.timelines.get(owner)
    const entries = ns.toSorted((a, b) => b - a).map((n) => this.entryOf(n))
    const epoch = (timeline?.epoch ?? 1) + (stale ? 1 : 0)
    const merged = await this.views.merge(owner, epoch, toEntries(entries))
    expect(merged).toBe(timeline !== undefined && !stale)
    if (merged) this.add(timeline, entries)
  }

  /** Derives an entry from a number: as in the engine, the same id always comes with the same ref. */
  private entryOf(n: number): Entry {
    return { id: idOf(n), ref: ((n % this.refs) * 715_827_883) >>> 0, kind: (n * 37) % 2_048 }
  }

  private add(timeline: Timeline | undefined, entries: readonly Entry[]): void {
    if (timeline === undefined) return
    for (const entry of entries) {
      timeline.given.add(entry.id)
      // An id at or below a trimmed one may not come back: it would be in a part that is not complete.
      if (entry.id > timeline.trimmed) this.put(timeline, entry)
    }
    const ids = [...timeline.entries.keys()].sort((a, b) => b - a)
    for (const id of ids.slice(this.views.capacity)) {
      timeline.entries.delete(id)
      timeline.trimmed = Math.max(timeline.trimmed, id)
    }
  }

  private put(timeline: Timeline, entry: Entry): void {
    const older = this.keep === 'latest' ? standingOf(timeline, entry.ref) : undefined
    if (older !== undefined && older.id >= entry.id) return
    if (older !== undefined) timeline.entries.delete(older.id)
    timeline.entries.set(entry.id, entry)
  }

  private async open(owner: number): Promise<void> {
    const [epoch] = await this.views.open([owner])
    expect(epoch).toBeGreaterThan(0)
    const used = this.epochs.get(owner) ?? new Set()
    expect(used.has(epoch)).toBe(false)
    this.epochs.set(owner, used.add(epoch))
    this.lost.delete(owner)
    this.timelines.set(owner, { epoch, entries: new Map(), given: new Set(), floor: Infinity, trimmed: 0 })
  }

  private async settle(owner: number, n: number, stale: boolean): Promise<void> {
    const timeline = this.timelines.get(owner)
    const floor = idOf(n)
    // Lowering a finite floor has a test of its own: an adapter may have dropped entries below the old floor.
    if (timeline !== undefined && floor < timeline.floor && timeline.floor !== Infinity) return
    const settled = await this.views.settle(owner, (timeline?.epoch ?? 1) + (stale ? 1 : 0), floor)
    expect(settled).toBe(timeline !== undefined && !stale)
    if (timeline !== undefined && settled) timeline.floor = Math.min(timeline.floor, floor)
  }

  private async compare(owner: number, below: number, limit: number): Promise<void> {
    const timeline = this.timelines.get(owner)
    const page = await this.views.range(owner, below, limit)
    if (timeline === undefined) return expect(page).toBeUndefined()
    expect(page).toBeDefined()
    const floor = Math.max(timeline.floor, timeline.trimmed)
    const horizons = Array.from(page!.header.horizons)
    expect({ ...page!.header, horizons }).toEqual({ epoch: timeline.epoch, floor, horizons: this.horizons })
    const complete = floor === Infinity ? timeline.trimmed : floor
    const found = fromEntries(page!.entries)
    const expected = [...timeline.entries.values()]
      .filter((entry) => entry.id < below && entry.id > complete)
      .sort((a, b) => b.id - a.id)
      .slice(0, limit)
    expect(found.filter((entry) => entry.id > complete)).toEqual(expected)
    expectLeftovers(found.slice(expected.length), timeline, below)
    if (this.keep === 'latest') expectLatest(found, timeline)
    expect(found.length).toBeLessThanOrEqual(limit)
  }
}

/** At or below the floor, an adapter may return any given entries, in order and without repeats. */
function expectLeftovers(found: readonly Entry[], timeline: Timeline, below: number): void {
  let newer = below
  for (const entry of found) {
    expect(entry.id).toBeLessThan(newer)
    expect(timeline.given.has(entry.id)).toBe(true)
    newer = entry.id
  }
}

/** Of each ref there is one entry, and none that a newer one has replaced: at or below the floor neither. */
function expectLatest(found: readonly Entry[], timeline: Timeline): void {
  expect(new Set(found.map(({ ref }) => ref)).size).toBe(found.length)
  for (const entry of found) expect(standingOf(timeline, entry.ref)?.id ?? entry.id).toBe(entry.id)
}

const standingOf = (timeline: Timeline, ref: number): Entry | undefined =>
  [...timeline.entries.values()].find((entry) => entry.ref === ref)
