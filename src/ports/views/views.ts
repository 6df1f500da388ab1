/**
 * The port `views`: what a program has derived for each of its owners, ready to be read. A deployment has several views,
 * each with a name (`ViewSpec`); an adapter opens one of them. A view holds a timeline for each owner: entries, sorted by
 * id, up to a capacity.
 *
 * An entry is (id, ref, kind). `id` has 53 bits, and an id always comes with the same `ref` and `kind`. `ref` is a u32
 * number of the thing that the entry is about: the author of a post in a home feed, the conversation of a message in an
 * inbox. `kind` has 11 bits whose meaning only the domain knows.
 *
 * A view keeps one of two things of what it is given. With `keep: 'all'` every id stands. With `keep: 'latest'`, of each
 * ref only the entry with the largest id stands: inserting a larger id of a ref replaces its entry, and an id at or
 * below the one that stands for its ref changes nothing. So an inbox has one entry for each conversation, in the order
 * of their last messages.
 *
 * Several processes may write the same timelines. Each write belongs to a lane: a source, such as a partition of the
 * log, whose events one process at a time handles in order. A header has a horizon for each lane. A single horizon for
 * all would hide losses: entries of one process could be lost, and the horizon still rise as another process goes on.
 *
 * Promises
 * - Inserting an entry again changes nothing. Entries are kept in the order of their ids. The floor and the entries above
 *   it follow from what was inserted since `open`, by `insert` or by `merge`, in whatever order it was.
 * - A timeline without a header takes no entry: `insert` skips it.
 * - The capacity counts the entries that stand, with `latest` therefore refs. When a timeline exceeds its capacity, its
 *   lowest ids go, and its floor rises to the largest id that went. Nothing else raises a floor: with `latest`, an entry
 *   that is replaced does not.
 * - `range` returns entries together with the header of the same moment. With `latest`, it never returns an entry that
 *   was replaced, not even when the one that stands is not below `below`.
 * - Every entry that was inserted since `open`, and whose id is at or below its lane's horizon in the header, is in
 *   the timeline, or is at or below the floor, or (with `latest`) a larger id of its ref was inserted, too.
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

/** What a domain says of a view that it needs. All processes of a deployment say the same. */
export interface ViewSpec {
  /** Tells the views of a deployment apart. Lower-case letters, digits and hyphens, at most 32, a letter first. */
  readonly name: string
  /** The most entries that a timeline holds: the others are trimmed. */
  readonly capacity: number
  /**
   * `all`: every id stands. `latest`: of each ref only the entry with the largest id. It never changes for a name,
   * since timelines that kept the latest only lack the others: a view that is to keep something else gets a new name.
   */
  readonly keep: 'all' | 'latest'
}

export type Keep = ViewSpec['keep']

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
  /** Entries that changed their timelines; an adapter may also count entries that changed nothing. */
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
