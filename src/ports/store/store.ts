/**
 * The port `store`: rows with the key (table, partition, sort). Sort keys order the rows of a partition.
 *
 * Promises
 * - A write is atomic within one partition: of all its rows with the same partition string, in whatever tables, either
 *   all are written or none.
 * - A row of a `versioned` table holds the write with the highest version. Writes of one row with the same version are
 *   equal, so it does not matter which of them stays.
 * - `insertIfAbsent` (tables of kind `once`) is durable when it resolves. Of several inserts of one key, one wins.
 * - A read sees every write that was acknowledged before the read began.
 * - Once `checkpoint` resolves, everything written before it was called survives a power loss.
 * - A row past its `expiresAtMs` is not returned.
 *
 * Does not promise
 * - Transactions across partitions.
 * - That writes after the last checkpoint survive a crash: the newest may be lost, and replaying the log makes them
 *   again. Only a suffix is lost: a write survives only with every write that was acknowledged before it began.
 * - That a write that failed wrote nothing.
 */
export interface Store {
  /** @returns a row or `undefined` per key, in the order of the keys */
  get(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>
  /** @returns per range, at most `limit` (≤ 10,000) rows of one partition, in sort order */
  range(ranges: readonly RowRange[]): Promise<readonly (readonly Row[])[]>
  write(rows: readonly RowWrite[]): Promise<void>
  /** @returns per row, the value that is stored now: the caller's, or the one that was there before */
  insertIfAbsent(rows: readonly RowInsert[]): Promise<readonly Inserted[]>
  /**
   * Returns one page of a whole table, in an order of the adapter's choice; `after` is the last row of the page
   * before. For start-up, checks and moves, not for requests.
   */
  scan(table: Table, after: RowKey | undefined, limit: number): Promise<readonly ScannedRow[]>
  /**
   * Makes everything written so far durable, and with it the log positions up to which events are projected into
   * rows: one per log partition, every time. A stored position never falls; a process that knows nothing of a
   * partition passes 0.
   */
  checkpoint(positions: readonly number[]): Promise<void>
  /** The positions of the newest checkpoint that survived; empty for a new store. */
  watermark(): Promise<readonly number[]>
  close(): Promise<void>
}

export interface Table {
  readonly name: string
  /** `versioned`: changed by `write`, the newest version wins. `once`: filled by `insertIfAbsent`, never changed. */
  readonly kind: 'versioned' | 'once'
}

export interface RowKey {
  readonly table: Table
  /** Any text without NUL, at most 512 bytes of UTF-8. */
  readonly partition: string
  /** Orders the rows of a partition. ASCII without NUL, at most 64 characters, may be empty. */
  readonly sort: string
}

export interface RowRange {
  readonly table: Table
  readonly partition: string
  /** Inclusive. */
  readonly from: string
  /** Exclusive. Without it, the range goes to the end of the partition. */
  readonly to?: string
  readonly limit: number
}

export interface Row extends RowKey {
  /** 0 in tables of kind `once`. */
  readonly version: number
  readonly value: Uint8Array
}

export interface RowWrite extends Row {
  /** By the wall clock. Without it, the row has no end. */
  readonly expiresAtMs?: number
}

/** A row together with its `expiresAtMs`, so that a move can write it to another store as it is. */
export type ScannedRow = RowWrite

export interface RowInsert extends RowKey {
  readonly value: Uint8Array
}

export interface Inserted {
  /** Whether the caller's value was stored. */
  readonly inserted: boolean
  readonly value: Uint8Array
}

/**
 * The version of rows that the event at `position` of the log with this `epoch` writes, as one number. Versions rise
 * with the position, and from one log to the next.
 */
export const rowVersion = (epoch: number, position: number): number => epoch * 2 ** 44 + position
