/**
 * Timelines in this process's memory, packed (`slabs.ts`, `headers.ts`, `rings.ts`), within a budget of bytes:
 * what does not fit evicts the coldest timelines, and everything held for them counts, used or not. A timeline
 * is warm when it was merged into or read; a plain insert does not warm it, or every follower's would be.
 *
 * Only pages handed out by `range` and the copy of a slab being enlarged (10 MB at most) stand outside the budget.
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
import { Merger } from './merger.ts'
import { Pages } from '../pages.ts'
import { Reader } from './reader.ts'
import { Rings, blocksMax } from './rings.ts'
import { BLOCK_BYTES, ENTRY_WORDS, Slabs } from './slabs.ts'
import { readSnapshot, writeSnapshot, type SavedHead, type SavedTimeline } from '../snapshot.ts'
import { Spreader } from './spreader.ts'
import type { Entries, InsertCounts, LaneHorizons, Spread, ViewPage, ViewStats, Views } from '../views.ts'

const KIND_END = 1 << (32 - HIGH_BITS)
/** Headers may take up to half of the budget, and a 32nd is kept for them, so that neither starves the other. */
const HEADER_SHARE_MAX = 1 / 2
const HEADER_SHARE_MIN = 1 / 32
const TIMELINES_MIN = 8

export interface MemoryViewsOptions {
  readonly bytesMax: number
  /** Entries a timeline holds. */
  readonly capacity?: number
  /** One, unless told otherwise. */
  readonly lanes?: number
}

/** The smallest budget that holds what must exist at once. */
export const memoryViewsBytesMin = (capacity: number = LIMITS.timelineEntriesMax): number =>
  2 * (DIRECTORY_BYTES + 2 * CHUNK_BYTES + TIMELINES_MIN * blocksMax(capacity) * BLOCK_BYTES)

export interface MemoryViews extends Views {
  stats(): ViewStats
}

export function createMemoryViews(options: MemoryViewsOptions): MemoryViews {
  const { bytesMax, capacity = LIMITS.timelineEntriesMax, lanes = 1 } = options
  return new PackedViews(bytesMax, capacity, lanes)
}

export interface KeptViewsOptions extends MemoryViewsOptions {
  /** Where `close` leaves the timelines for the next process, and where this one finds them. */
  readonly file: string
  /** Timelines that cannot be kept are made anew: nothing fails by it. */
  readonly onNotice: (text: string) => void
}

/** Timelines as the process before left them, if it ended cleanly; `adopt` gives them up if they lack anything. */
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
  private readonly bytesMax: number
  private readonly headers = new Headers()
  private readonly slabs = new Slabs()
  private readonly clock = new Clock(this.headers)
  private readonly rings: Rings
  private readonly reader: Reader
  private readonly merger: Merger
  private readonly spreader: Spreader
  /** Replaced, never written: pages show it. */
  private horizons: Float64Array
  /** One counter for all owners: no epoch ever comes twice, whatever was evicted between. */
  private lastEpoch = 0
  private evictedTotal = 0
  private closed = false
  onClose: () => Promise<void> = async () => undefined

  constructor(bytesMax: number, capacity: number, lanes: number) {
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
    this.horizons = new Float64Array(lanes)
    this.rings = new Rings(this.slabs, capacity, (words, base) => this.makeRoom(words, base))
    this.reader = new Reader(this.slabs.slabs, new Pages())
    this.merger = new Merger(this.rings, capacity)
    this.spreader = new Spreader(this.headers, this.slabs, this.rings, capacity)
  }

  async insert(spreads: readonly Spread[]): Promise<InsertCounts> {
    this.assertOpen()
    for (const spread of spreads) assertEntry(spread.id, spread.author, spread.kind)
    return this.spreader.spread(spreads)
  }

  async advance(horizons: LaneHorizons): Promise<void> {
    this.assertOpen()
    const raised = this.horizons.slice()
    for (const [lane, id] of horizons) {
      assert(lane < this.lanes, 'a lane is one of those that are')
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

  /** Nothing is lost here; but an earlier process had timelines of its own, and these are not they. */
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
    const { capacity, horizons } = this
    let timelines = 0
    for (const _ of this.settled()) timelines++
    try {
      await writeSnapshot(file, { capacity, timelines, horizons }, this.settled())
    } catch (error) {
      onNotice(
        `timelines are not kept for the next start (${(error as Error).message}): they will be made anew`,
      )
    }
  }

  async load(file: string, onNotice: (text: string) => void): Promise<void> {
    const accept = ({ capacity, horizons }: SavedHead) => {
      if (capacity !== this.capacity || horizons.length !== this.lanes) return false
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
    onNotice(`${file} ${what}: timelines are made anew`)
  }

  /** Others belong to rebuilds that never came to an end. */
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

  /** Blocks for the timeline at `words`, `base`: of memory not yet used, or of the coldest other timeline. */
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

  /** Where the budget has no room for another, the emptiest chunk gives up its timelines: as many as move in, at most. */
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

  /** Given up, and not evicted: there is room for all of them. */
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

function assertEntry(id: number, author: number, kind: number): void {
  assert(id > 0 && id <= ID_MAX && Number.isSafeInteger(id), 'an entry has a 53-bit id')
  assert(author >>> 0 === author, 'an author is a u32')
  assert(kind >>> 0 === kind && kind < KIND_END, 'a kind has 11 bits')
}

/** Before anything is changed: one bad entry would break the order of the whole ring. */
function assertEntries(entries: Entries): void {
  let newer = ID_MAX
  for (let row = 0; row < entries.length; row++) {
    assertEntry(entries.ids[row], entries.authors[row], entries.kinds[row])
    assert(entries.ids[row] <= newer, 'entries come newest first')
    newer = entries.ids[row]
  }
}
