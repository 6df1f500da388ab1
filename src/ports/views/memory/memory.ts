/**
 * Timelines in this process's memory, packed (slabs.ts, headers.ts, rings.ts), within a budget of bytes. When the budget
 * is used up, the coldest timelines are evicted. All memory held for timelines counts, used or not. Reading a timeline or
 * merging into it makes it warm; an insert does not, or the timelines of all followers would be warm.
 *
 * Not in the budget are the pages that `range` returns, and the copy of a slab that is being enlarged (10 MB at most).
 */

import { RivuletError, assert } from '../../../core/errors.ts'
import { ID_MAX } from '../../../core/ids.ts'
import { LIMITS } from '../../../core/limits.ts'
import { Clock } from './clock.ts'
import {
  CHUNK_ACCOUNTS,
  CHUNK_BYTES,
  CHUNK_MASK,
  CLOCK_WARM,
  COUNT_MASK,
  DIRECTORY_BYTES,
  HEADER_SHIFT,
  HIGH_BITS,
  Headers,
  STATE,
  baseOf,
  epochOf,
  floorOf,
  lowerFloor,
} from './headers.ts'
import { LatestRings } from './latest.ts'
import { Merger } from './merger.ts'
import { Pages } from '../pages.ts'
import { Reader } from './reader.ts'
import { Rings, blocksMax } from './rings.ts'
import { BLOCK_BYTES, ENTRY_WORDS, Slabs } from './slabs.ts'
import { readSnapshot, writeSnapshot, type SavedHead, type SavedTimeline } from '../snapshot.ts'
import { Spreader } from './spreader.ts'
import type {
  Entries,
  InsertCounts,
  Keep,
  LaneHorizons,
  Spread,
  ViewPage,
  ViewStats,
  Views,
} from '../views.ts'

const KIND_END = 1 << (32 - HIGH_BITS)
/** Headers may take up to half of the budget, and a 32nd of it is reserved for them: so neither they nor blocks starve. */
const HEADER_SHARE_MAX = 1 / 2
const HEADER_SHARE_MIN = 1 / 32
const TIMELINES_MIN = 8

export interface MemoryViewsOptions {
  readonly bytesMax: number
  /** The most entries that a timeline holds. */
  readonly capacity?: number
  /** Default: 1. */
  readonly lanes?: number
  /** Default: `all`. */
  readonly keep?: Keep
}

/** The smallest budget with which the timelines can work at all. */
export const memoryViewsBytesMin = (capacity: number = LIMITS.timelineEntriesMax): number =>
  2 * (DIRECTORY_BYTES + 2 * CHUNK_BYTES + TIMELINES_MIN * blocksMax(capacity) * BLOCK_BYTES)

export interface MemoryViews extends Views {
  stats(): ViewStats
}

export function createMemoryViews(options: MemoryViewsOptions): MemoryViews {
  const { bytesMax, capacity = LIMITS.timelineEntriesMax, lanes = 1, keep = 'all' } = options
  return new PackedViews({ bytesMax, capacity, lanes, keep })
}

export interface KeptViewsOptions extends MemoryViewsOptions {
  /** Where `close` saves the timelines for the next process, and where this one finds those of the last. */
  readonly file: string
  /** Receives a sentence when timelines cannot be saved or read. They are rebuilt then: nothing fails. */
  readonly onNotice: (text: string) => void
}

/**
 * Opens the timelines that the last process saved if it ended cleanly. `adopt` gives them up if they lack entries.
 * Timelines with another capacity, other lanes or another `keep` are not taken.
 */
export async function openMemoryViews({
  file,
  onNotice,
  ...options
}: KeptViewsOptions): Promise<MemoryViews> {
  const views = createMemoryViews(options) as PackedViews
  await views.load(file, onNotice)
  views.onClose = () => views.save(file, onNotice)
  return views
}

class PackedViews implements MemoryViews {
  readonly capacity: number
  readonly lanes: number
  private readonly keep: Keep
  private readonly bytesMax: number
  private readonly headers = new Headers()
  private readonly slabs = new Slabs()
  private readonly clock = new Clock(this.headers)
  private readonly rings: Rings
  private readonly reader: Reader
  private readonly merger: Merger
  private readonly spreader: Spreader
  /** Replaced as a whole and never changed, because pages that were returned share it. */
  private horizons: Float64Array
  /** One counter for all owners, so that no epoch occurs twice, even after an eviction. */
  private lastEpoch = 0
  private evictedTotal = 0
  private closed = false
  onClose: () => Promise<void> = async () => undefined

  constructor({ bytesMax, capacity, lanes, keep }: Required<MemoryViewsOptions>) {
    if (!(capacity >= 1 && capacity <= COUNT_MASK && Number.isInteger(capacity))) {
      throw new RivuletError('config_invalid', `the capacity of a timeline must be 1 to ${COUNT_MASK}`)
    }
    if (!(bytesMax >= memoryViewsBytesMin(capacity))) {
      throw new RivuletError(
        'config_invalid',
        `timelines need a budget of at least ${memoryViewsBytesMin(capacity)} bytes`,
      )
    }
    this.bytesMax = bytesMax
    this.capacity = capacity
    this.lanes = lanes
    this.keep = keep
    this.horizons = new Float64Array(lanes)
    this.rings = new Rings(this.slabs, capacity, (words, base) => this.makeRoom(words, base))
    this.reader = new Reader(this.slabs.slabs, new Pages())
    this.merger = new Merger(this.rings, capacity, keep)
    const latest = keep === 'latest' ? new LatestRings(this.rings, this.slabs) : undefined
    this.spreader = new Spreader(this.headers, this.slabs, this.rings, latest, capacity)
  }

  async insert(spreads: readonly Spread[]): Promise<InsertCounts> {
    this.assertOpen()
    for (const spread of spreads) assertEntry(spread.id, spread.ref, spread.kind)
    return this.spreader.spread(spreads)
  }

  async advance(horizons: LaneHorizons): Promise<void> {
    this.assertOpen()
    const raised = this.horizons.slice()
    for (const [lane, id] of horizons) {
      assert(lane < this.lanes, 'the number of a lane is below the count of lanes')
      raised[lane] = Math.max(raised[lane], id)
    }
    this.horizons = raised
  }

  async open(owners: readonly number[]): Promise<readonly number[]> {
    this.assertOpen()
    return owners.map((owner) => this.openOne(owner))
  }

  private openOne(owner: number): number {
    assert(owner >>> 0 === owner, 'an owner is a u32')
    let chunk = this.headers.chunkOf(owner)
    if (chunk < 0) chunk = this.addChunk(owner)
    const index = owner & CHUNK_MASK
    if (this.headers.words[chunk][(index << HEADER_SHIFT) + STATE] !== 0) this.clear(chunk, index)
    this.headers.open(chunk, index, ++this.lastEpoch)
    return this.lastEpoch
  }

  async merge(owner: number, epoch: number, entries: Entries): Promise<boolean> {
    this.assertOpen()
    const chunk = this.find(owner)
    if (chunk < 0 || !this.isEpoch(chunk, owner, epoch)) return false
    assertEntries(entries)
    this.warm(chunk, owner)
    this.merger.merge(this.headers.words[chunk], baseOf(owner), entries)
    return true
  }

  async settle(owner: number, epoch: number, floor: number): Promise<boolean> {
    this.assertOpen()
    assert(floor >= 0 && Number.isSafeInteger(floor), 'a floor is an id or 0')
    const chunk = this.find(owner)
    if (chunk < 0 || !this.isEpoch(chunk, owner, epoch)) return false
    lowerFloor(this.headers.words[chunk], baseOf(owner), floor)
    return true
  }

  async range(owner: number, below: number, limit: number): Promise<ViewPage | undefined> {
    this.assertOpen()
    const chunk = this.find(owner)
    if (chunk < 0) return undefined
    this.warm(chunk, owner)
    const words = this.headers.words[chunk]
    const base = baseOf(owner)
    this.rings.noteTrimmed(words, base)
    return {
      header: { epoch: epochOf(words, base), floor: floorOf(words, base), horizons: this.horizons },
      entries: this.reader.read(words, base, below, limit),
    }
  }

  async evict(owners: ArrayLike<number>): Promise<void> {
    this.assertOpen()
    for (let i = 0; i < owners.length; i++) {
      const chunk = this.find(owners[i])
      if (chunk >= 0) this.remove(chunk, owners[i] & CHUNK_MASK)
    }
  }

  /** These timelines lose nothing by themselves. But where another process has advanced a lane, they lack its entries. */
  async adopt(horizons: LaneHorizons): Promise<boolean> {
    const isBehind = [...horizons].some(([lane, id]) => this.horizons[lane] < id)
    if (isBehind) this.removeAll()
    await this.advance(new Map([...horizons].filter(([, id]) => id !== ID_MAX)))
    return this.headers.timelines > 0
  }

  stats(): ViewStats {
    return {
      timelines: this.headers.timelines,
      entries: this.rings.entries,
      bytes: this.bytes,
      bytesMax: this.bytesMax,
      evictedTotal: this.evictedTotal,
    }
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.onClose()
  }

  async save(file: string, onNotice: (text: string) => void): Promise<void> {
    const { capacity, keep, horizons } = this
    let timelines = 0
    for (const _ of this.settled()) timelines++
    try {
      await writeSnapshot(file, { keep, capacity, timelines, horizons }, this.settled())
    } catch (error) {
      onNotice(
        `timelines could not be saved for the next start (${(error as Error).message}); they will be rebuilt`,
      )
    }
  }

  async load(file: string, onNotice: (text: string) => void): Promise<void> {
    const accept = ({ keep, capacity, horizons }: SavedHead) => {
      if (keep !== this.keep || capacity !== this.capacity || horizons.length !== this.lanes) return false
      this.horizons = horizons
      return true
    }
    const read = await readSnapshot(file, accept, (timeline) => this.restore(timeline)).catch(
      (error: Error) => error,
    )
    if (read === 'whole' || read === undefined) return
    this.removeAll()
    this.horizons = new Float64Array(this.lanes)
    const what = read === 'damaged' ? 'is damaged' : `cannot be read (${read.message})`
    onNotice(`${file} ${what}; timelines are rebuilt`)
  }

  /** The timelines with a finite floor; the others belong to rebuilds that were not finished. */
  private *settled(): Generator<SavedTimeline> {
    const copy = new Uint32Array(this.capacity * ENTRY_WORDS)
    for (const { chunk, owner } of this.headers.owners()) {
      const words = this.headers.words[chunk]
      const base = baseOf(owner)
      this.rings.noteTrimmed(words, base)
      const floor = floorOf(words, base)
      if (floor === Infinity) continue
      const entries = copy.subarray(0, this.rings.copyTo(words, base, copy) * ENTRY_WORDS)
      const isWarm = this.headers.clocks[chunk][owner & CHUNK_MASK] === CLOCK_WARM
      yield { owner, floor, isWarm, entries }
    }
  }

  private restore({ owner, floor, isWarm, entries }: SavedTimeline): void {
    this.openOne(owner)
    const chunk = this.headers.chunkOf(owner)
    const words = this.headers.words[chunk]
    const base = baseOf(owner)
    for (let at = entries.length - ENTRY_WORDS; at >= 0; at -= ENTRY_WORDS) {
      this.rings.append(words, base, entries[at] | 0, entries[at + 1] | 0, entries[at + 2] | 0)
    }
    lowerFloor(words, base, floor)
    if (isWarm) this.warm(chunk, owner)
  }

  private get bytes(): number {
    return this.headers.bytes + this.slabs.bytes + this.merger.bytes
  }

  private assertOpen(): void {
    if (this.closed) throw new RivuletError('shutting_down', 'the timelines are closed')
  }

  /** The chunk of an owner that has a header, or -1. */
  private find(owner: number): number {
    assert(owner >>> 0 === owner, 'an owner is a u32')
    const chunk = this.headers.chunkOf(owner)
    return chunk >= 0 && this.headers.words[chunk][baseOf(owner) + STATE] !== 0 ? chunk : -1
  }

  private isEpoch(chunk: number, owner: number, epoch: number): boolean {
    return epochOf(this.headers.words[chunk], baseOf(owner)) === epoch
  }

  private warm(chunk: number, owner: number): void {
    this.headers.clocks[chunk][owner & CHUNK_MASK] = CLOCK_WARM
  }

  private clear(chunk: number, index: number): void {
    this.rings.clear(this.headers.words[chunk], index << HEADER_SHIFT)
  }

  private remove(chunk: number, index: number): void {
    this.clear(chunk, index)
    this.headers.remove(chunk, index)
  }

  /** Makes a block free for the timeline at `words`, `base`: from unused budget, or from the coldest other timeline. */
  private makeRoom(words: Uint32Array, base: number): void {
    const headersReserved = Math.max(this.headers.bytes, this.headersBytesMin)
    const room = this.bytesMax - headersReserved - this.merger.bytes - this.slabs.bytes
    if (this.slabs.grow(room)) return
    assert(this.clock.advance(words, base), 'the budget holds more than one timeline')
    this.remove(this.clock.chunk, this.clock.index)
    this.evictedTotal++
  }

  private get headersBytesMin(): number {
    return DIRECTORY_BYTES + Math.max(2 * CHUNK_BYTES, Math.floor(this.bytesMax * HEADER_SHARE_MIN))
  }

  /** Adds a chunk for an owner. Without room in the budget, the emptiest chunk gives up its timelines and is used. */
  private addChunk(owner: number): number {
    const fits =
      this.bytes + CHUNK_BYTES <= this.bytesMax &&
      this.headers.bytes + CHUNK_BYTES <= DIRECTORY_BYTES + this.bytesMax * HEADER_SHARE_MAX
    if (fits || this.headers.words.length === 0) return this.headers.addChunk(owner)
    const chunk = this.headers.emptiestChunk()
    this.evictedTotal += this.removeChunk(chunk)
    this.headers.moveChunk(chunk, owner)
    return chunk
  }

  /** Not counted as evictions, because they do not come from a lack of room. */
  private removeAll(): void {
    for (let chunk = 0; chunk < this.headers.words.length; chunk++) this.removeChunk(chunk)
  }

  /** @returns how many timelines it held */
  private removeChunk(chunk: number): number {
    let removed = 0
    for (let index = 0; index < CHUNK_ACCOUNTS; index++) {
      if (this.headers.words[chunk][(index << HEADER_SHIFT) + STATE] === 0) continue
      this.remove(chunk, index)
      removed++
    }
    return removed
  }
}

function assertEntry(id: number, ref: number, kind: number): void {
  assert(id > 0 && id <= ID_MAX && Number.isSafeInteger(id), 'an entry has a 53-bit id')
  assert(ref >>> 0 === ref, 'a ref is a u32')
  assert(kind >>> 0 === kind && kind < KIND_END, 'a kind has 11 bits')
}

/** Called before anything is changed: one bad entry would break the order of the whole ring. */
function assertEntries(entries: Entries): void {
  let newer = ID_MAX
  for (let row = 0; row < entries.length; row++) {
    assertEntry(entries.ids[row], entries.refs[row], entries.kinds[row])
    assert(entries.ids[row] <= newer, 'entries come newest first')
    newer = entries.ids[row]
  }
}
