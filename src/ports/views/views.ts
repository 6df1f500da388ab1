/**
 * Timelines: bounded, sorted rings of fixed-width entries, one per owner, newest first.
 *
 * An entry is (id, author, kind): id a 53-bit id, unique within a timeline; author a u32 account number;
 * kind 11 bits that mean something to the domain only.
 *
 * Several processes may write the same timelines, each what comes of some lanes: what is ordered, and one process
 * works through at a time, such as a partition of the log. How far each lane is, is told apart from the others: one
 * number for all would hide what one process' writes lost as soon as another went on.
 *
 * Promises
 * - Inserting an entry again changes nothing. Entries are kept in the order of their ids, whatever the
 *   order of insertion.
 * - A timeline that has no header takes no entry: `insert` skips it.
 * - When a timeline exceeds its capacity, its lowest ids go and its floor rises to the largest id that went.
 * - `range` gives entries together with the header of the same moment.
 * - `horizons` in a header, one a lane: every entry of that lane at or below it that was inserted here since `open`
 *   is here, or is at or below the floor.
 *
 * Does not promise
 * - Durability: a timeline may vanish at any time (`range` gives `undefined`: lost, not empty), or lose its
 *   newest entries (the horizons of their lanes then stand below them).
 */
export interface Views {
  readonly capacity: number
  /** How many there are: numbered from 0, the same for all who write here. */
  readonly lanes: number
  /** Spreads each entry to its owners. One call is one batch: at most a few thousand owners in all. */
  insert(spreads: readonly Spread[]): Promise<InsertCounts>
  /**
   * By lane, an id: everything of that lane at or below it has been inserted by its callers. Raises the horizons of
   * these lanes in all timelines; they never fall.
   */
  advance(horizons: LaneHorizons): Promise<void>
  /** Installs a new header, without entries: next epoch, floor at infinity, horizons as they stand. @returns the epochs, above 0 */
  open(owners: readonly number[]): Promise<readonly number[]>
  /** Adds many entries to one timeline; does nothing (false) when the epoch is not the timeline's. */
  merge(owner: number, epoch: number, entries: Entries): Promise<boolean>
  /** Lowers the floor to `floor`, or to the largest id trimmed since `open` if that is higher. False when the epoch is not the timeline's. */
  settle(owner: number, epoch: number, floor: number): Promise<boolean>
  /** Up to `limit` newest entries with ids below `below`; `undefined` when there is no header. */
  range(owner: number, below: number, limit: number): Promise<ViewPage | undefined>
  /** Removes headers and entries. */
  evict(owners: ArrayLike<number>): Promise<void>
  /**
   * Takes over lanes from an earlier process, each with the id to which it had advanced: timelines where one of them
   * stands lower lost something that nobody will bring back, and are given up. An id of `ID_MAX` gives up all. Lanes
   * that this process has advanced as far itself are its own already. May be called again, for other lanes.
   * @returns whether any timelines from before live on
   */
  adopt(horizons: LaneHorizons): Promise<boolean>
  /** Nothing where they live outside of this process. */
  stats(): ViewStats | undefined
  close(): Promise<void>
}

/** Ids by lane. */
export type LaneHorizons = ReadonlyMap<number, number>

/** One entry and the timelines it goes to. */
export interface Spread {
  readonly id: number
  readonly author: number
  readonly kind: number
  readonly owners: Uint32Array
}

/** Columns of equal length, newest first. */
export interface Entries {
  readonly length: number
  readonly ids: Float64Array
  readonly authors: Uint32Array
  readonly kinds: Uint16Array
}

export interface ViewHeader {
  readonly epoch: number
  /** Below or at it the timeline is not complete; `Infinity` until settled. */
  readonly floor: number
  /** By lane. Valid as long as the entries. */
  readonly horizons: ArrayLike<number>
}

export interface ViewPage {
  readonly header: ViewHeader
  /** Valid until the caller's next await: adapters may reuse the memory. Copy to keep. */
  readonly entries: Entries
}

export interface InsertCounts {
  /** Entries that are new in their timelines; an adapter may count those that were there already. */
  readonly inserted: number
  /** Owners without a header; an adapter may miss those whose timelines were lost. */
  readonly absent: number
}

export interface ViewStats {
  readonly timelines: number
  readonly entries: number
  readonly bytes: number
  readonly bytesMax: number
  readonly evictedTotal: number
}
