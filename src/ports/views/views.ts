/**
 * The port `views`: timelines. A timeline holds the newest entries of one owner, sorted by id, up to a capacity.
 *
 * An entry is (id, ref, kind): `id` has 53 bits and is unique within a timeline, `ref` is a u32 account number,
 * `kind` has 11 bits whose meaning only the domain knows.
 *
 * Several processes may write the same timelines. Each write belongs to a lane: a source, such as a partition of the
 * log, whose events one process at a time handles in order. A header has a horizon for each lane. A single horizon for
 * all would hide losses: entries of one process could be lost, and the horizon still rise as another process goes on.
 *
 * Promises
 * - Inserting an entry again changes nothing. Entries are kept in the order of their ids, whatever the order of
 *   insertion.
 * - A timeline without a header takes no entry: `insert` skips it.
 * - When a timeline exceeds its capacity, its lowest ids go, and its floor rises to the largest id that went.
 * - `range` returns entries together with the header of the same moment.
 * - Every entry that was inserted since `open`, and whose id is at or below its lane's horizon in the header, is in
 *   the timeline, or is at or below the floor.
 *
 * Does not promise
 * - Durability. A timeline may vanish at any time: `range` then returns `undefined`, which means lost, not empty. It
 *   may also lose its newest entries: the horizons of their lanes are then below them, and readers can tell.
 */
export interface Views {
  readonly capacity: number
  /** How many lanes there are. They are numbered from 0; all processes that write here count the same. */
  readonly lanes: number
  /** Adds each entry to the timelines of its owners. One call is one batch, of at most a few thousand owners in all. */
  insert(spreads: readonly Spread[]): Promise<InsertCounts>
  /**
   * Raises the horizons of these lanes in all timelines; a horizon never falls. The caller says with it that it has
   * inserted every entry of the lane up to that id.
   */
  advance(horizons: LaneHorizons): Promise<void>
  /**
   * Installs new headers, without entries: a new epoch, the floor at infinity, the horizons as they are now.
   * @returns the epochs, above 0, in the order of the owners
   */
  open(owners: readonly number[]): Promise<readonly number[]>
  /** Adds many entries to one timeline. False, and nothing added, when the timeline has another epoch. */
  merge(owner: number, epoch: number, entries: Entries): Promise<boolean>
  /**
   * Lowers the floor to `floor`, or to the largest id trimmed since `open` if that is higher. False, and nothing
   * changed, when the timeline has another epoch.
   */
  settle(owner: number, epoch: number, floor: number): Promise<boolean>
  /** Returns up to `limit` newest entries with ids below `below`; `undefined` when there is no header. */
  range(owner: number, below: number, limit: number): Promise<ViewPage | undefined>
  /** Removes headers and entries. */
  evict(owners: ArrayLike<number>): Promise<void>
  /**
   * Takes over lanes from an earlier process, each with the id up to which that process had advanced it. A timeline
   * with a lower horizon in one of these lanes has lost entries that no process will insert again, and is given up.
   * `ID_MAX` for an id gives up all timelines. Lanes that this process has itself advanced so far are passed over. May
   * be called again, for other lanes.
   * @returns whether any timelines from before are left
   */
  adopt(horizons: LaneHorizons): Promise<boolean>
  /** Undefined when the timelines are kept outside of this process. */
  stats(): ViewStats | undefined
  close(): Promise<void>
}

/** Ids by lane. */
export type LaneHorizons = ReadonlyMap<number, number>

/** One entry and the timelines it goes to. */
export interface Spread {
  readonly id: number
  readonly ref: number
  readonly kind: number
  readonly owners: Uint32Array
}

/** Columns of equal length, newest first. */
export interface Entries {
  readonly length: number
  readonly ids: Float64Array
  readonly refs: Uint32Array
  readonly kinds: Uint16Array
}

export interface ViewHeader {
  readonly epoch: number
  /** At or below this id the timeline may lack entries; `Infinity` until `settle`. */
  readonly floor: number
  /** By lane. Valid as long as the entries of the page. */
  readonly horizons: ArrayLike<number>
}

export interface ViewPage {
  readonly header: ViewHeader
  /** Valid until the caller's next await, since adapters may reuse the memory: copy what you keep. */
  readonly entries: Entries
}

export interface InsertCounts {
  /** Entries that are new in their timelines; an adapter may also count entries that were there already. */
  readonly inserted: number
  /** Owners without a header; an adapter may leave out owners whose timelines were lost. */
  readonly absent: number
}

export interface ViewStats {
  readonly timelines: number
  readonly entries: number
  readonly bytes: number
  readonly bytesMax: number
  readonly evictedTotal: number
}
