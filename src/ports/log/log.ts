/**
 * The log: the commit point of every write.
 *
 * Promises
 * - When `append` resolves, the records are durable and every later read holds them.
 * - Records of one key keep the order in which `append` was called; records of one call stay together within
 *   a partition, unless they are more than `LIMITS.logRecordBytesMax` and another process writes there, too.
 * - A consumer sees every record at least once, in partition order, from its committed position on.
 *
 * Does not promise
 * - Order across keys; exactly-once delivery (a batch may come again after a crash or a `seek`).
 * - Dense positions: they only rise.
 * - That a rejected `append` did nothing: its outcome is unknown unless the error says otherwise, as
 *   `overloaded` and `unavailable` do. What is unknown enters the log before later records of its key from this
 *   process, or never.
 */
export interface Log {
  /** Raised when the deployment moves to another log; part of every row version. */
  readonly epoch: number
  readonly partitions: number
  /** Where the records of a key are: each adapter has its own rule, which never changes for one log. */
  partitionOf(key: number): number
  /**
   * The bytes are taken before the call returns: callers may reuse their buffers at once.
   * At most `appendRecordsMax` records of at most `LIMITS.logRecordBytesMax` bytes each.
   * Rejects with `overloaded` (nothing was appended) when the unsynced bytes exceed the adapter's bound.
   * @returns the position of each record, in order
   */
  append(records: readonly LogRecord[]): Promise<readonly number[]>
  /**
   * One consumer of a group at a time per process; those of several processes share the partitions. It reads each
   * from where a `seek` went; else from where it was, if it keeps the partition; else from the group's committed
   * position; else from the oldest record.
   *
   * `onAssigned` learns all partitions that are this consumer's from now on: some time after `consumer` has
   * returned, whether `next` is called or not, and again whenever the group has shared them anew. `next` gives
   * no batch of a new one before it, and none of a lost one after it. A `seek` that it makes before it returns
   * holds for the first batch. Nothing tells that a membership is lost: no batches come until there is another.
   */
  consumer(group: string, onAssigned?: OnAssigned): Promise<LogConsumer>
  /**
   * Reads outside of any group, at first no partition at all. Nothing is committed, and nothing is kept for it:
   * what retention removes is passed over. There may be any number of them.
   */
  follow(): Promise<LogFollower>
  /** The oldest position still held and the one after the newest durable record, per partition. */
  bounds(): Promise<readonly LogBounds[]>
  /**
   * Tells that the store holds everything below these positions (one per partition), so that records
   * older than the retention time *and* below this *and* below every consumer's position may go. An engine
   * that keeps records by time alone may ignore it.
   */
  release(positions: readonly number[]): Promise<void>
  close(): Promise<void>
}

export const appendRecordsMax = 1_000

export interface LogRecord {
  /** Orders its records: same key, same partition. A non-negative safe integer. */
  readonly key: number
  readonly value: Uint8Array
}

export interface LogBounds {
  readonly start: number
  readonly end: number
}

export interface LogBatch {
  readonly partition: number
  /** Where it was read from: everything of the partition from here on to `next` is in it. */
  readonly from: number
  /** Positions of the records, rising. */
  readonly positions: readonly number[]
  readonly values: readonly Uint8Array[]
  /** Where the next batch of this partition starts: what to commit once this one is handled. */
  readonly next: number
}

export type OnAssigned = (partitions: readonly number[]) => void

/** What consumers and followers have in common. */
export interface LogCursor {
  /**
   * The next records of one partition, at most `recordsMax` and about `LIMITS.workerBatchBytesMax` bytes;
   * waits until there is one. `undefined` only after `close`.
   */
  next(recordsMax: number): Promise<LogBatch | undefined>
  /** The next batch of that partition starts at `position` (or at the oldest record above it). */
  seek(partition: number, position: number): Promise<void>
  close(): Promise<void>
}

/** A `seek` in a partition that is not the consumer's holds once it is. */
export interface LogConsumer extends LogCursor {
  /**
   * What is below `position` needs no redelivery to this group. Cheap; durable some time later. Of a partition
   * that another consumer has by now, it does nothing.
   */
  commit(partition: number, position: number): Promise<void>
}

/** Reads a partition from its first `seek` on. */
export interface LogFollower extends LogCursor {
  /** No more batches of this partition, also not by a `next` under way, until the next `seek`. */
  leave(partition: number): void
}
