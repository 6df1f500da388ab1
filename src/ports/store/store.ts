/**
 * Rows by (table, partition, sort), the sort keys of a partition in order.
 *
 * Promises
 * - A write is atomic within one partition: all its rows with the same partition string, over all tables, or none.
 * - A row of a `versioned` table keeps the write with the highest version; on a tie the writes are equal.
 * - `insertIfAbsent` (tables of kind `once`) is durable when it resolves, and has one winner.
 * - A read sees every write acknowledged before it began.
 * - What was written before a `checkpoint` resolved survives a power loss.
 * - A row past its `expiresAtMs` is not returned.
 *
 * Does not promise
 * - Transactions across partitions.
 * - Survival of writes after the last checkpoint: a crash may lose the newest of them, and the log replays
 *   those. What is lost is a suffix: no write survives one that was acknowledged before it began.
 * - That an error means nothing was written.
 */
export interface Store {
  /** Answers stand in the order of the keys. */
  get(keys: readonly RowKey[]): Promise<readonly (Row | undefined)[]>
  /** Each range stays inside one partition and gives at most `limit` (≤ 10,000) rows in sort order. */
  range(ranges: readonly RowRange[]): Promise<readonly (readonly Row[])[]>
  write(rows: readonly RowWrite[]): Promise<void>
  /** @returns per row the row that stands: the caller's own, or the one that was there before */
  insertIfAbsent(rows: readonly RowInsert[]): Promise<readonly Inserted[]>
  /** A page of a whole table in an adapter's own order; `after` is the last row of the page before. For start-up, checks and moves. */
  scan(table: Table, after: RowKey | undefined, limit: number): Promise<readonly ScannedRow[]>
  /**
   * Makes everything written so far durable, and with it the positions up to which the log is projected (one per
   * partition, always as many). A lower one than stands changes nothing: 0 is for who knows nothing of a partition.
   */
  checkpoint(positions: readonly number[]): Promise<void>
  /** The positions of the last checkpoint that survived; empty for a new store. */
  watermark(): Promise<readonly number[]>
  close(): Promise<void>
}

export interface Table {
  readonly name: string
  readonly kind: 'versioned' | 'once'
}

export interface RowKey {
  readonly table: Table
  /** Any text without NUL, at most 512 bytes of UTF-8. */
  readonly partition: string
  /** ASCII without NUL, at most 64 characters; orders the rows of a partition. May be empty. */
  readonly sort: string
}

export interface RowRange {
  readonly table: Table
  readonly partition: string
  /** Inclusive. */
  readonly from: string
  /** Exclusive; without it, to the end of the partition. */
  readonly to?: string
  readonly limit: number
}

export interface Row extends RowKey {
  /** 0 in tables of kind `once`. */
  readonly version: number
  readonly value: Uint8Array
}

export interface RowWrite extends Row {
  /** Wall clock. */
  readonly expiresAtMs?: number
}

/** With its end, if it has one, so that it can be written elsewhere as it is. */
export type ScannedRow = RowWrite

export interface RowInsert extends RowKey {
  readonly value: Uint8Array
}

export interface Inserted {
  readonly inserted: boolean
  readonly value: Uint8Array
}

/** A version is (log epoch, position) in one number; `rowVersion(1, 0)` is above every import. */
export const rowVersion = (epoch: number, position: number): number => epoch * 2 ** 44 + position
