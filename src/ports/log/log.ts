/**
 * The port `log`: the commit point of every write. An event is accepted once it is durable in the log.
 *
 * Promises
 * - When `append` resolves, its records are durable, and every later read returns them.
 * - Records of one key are stored in the order in which `append` was called. Records of one call that go to the same
 *   partition are stored next to each other, unless they are larger in all than `LIMITS.logRecordBytesMax` and
 *   another process appends to that partition, too.
 * - A consumer gets every record at least once, in the order of its partition, from its committed position on.
 *
 * Does not promise
 * - Order across keys.
 * - Exactly-once delivery: a batch may come again after a crash or a `seek`.
 * - Dense positions: they only rise.
 * - That a rejected `append` appended nothing. Only some errors say that (`overloaded` and `unavailable` do);
 *   otherwise its records enter the log before later records of their keys from this process, or never.
 */
export interface Log {
  /** Raised when the deployment moves to another log. Row versions contain it, so that they rise over a move. */
  readonly epoch: number
  readonly partitions: number
  /** The partition of a key. Each adapter has its own rule, which never changes for one log. */
  partitionOf(key: number): number
  /**
   * Takes at most `appendRecordsMax` records of at most `LIMITS.logRecordBytesMax` bytes each. Their bytes are copied
   * before the call returns, so that callers may reuse their buffers at once. Rejects with `overloaded` (nothing was
   * appended) when more bytes wait to be synced than the adapter allows.
   * @returns the position of each record, in order
   */
  append(records: readonly LogRecord[]): Promise<readonly number[]>
  /**
   * Joins a group. A process has at most one consumer per group at a time; the consumers of several processes share
   * the partitions. A consumer reads a partition from the position of its last `seek` there; without one, from where
   * it was if it has kept the partition; else from the group's committed position; else from the oldest record.
   *
   * `onAssigned` receives all partitions that the consumer has from now on. It is called some time after `consumer`
   * has returned, even if nobody calls `next`, and again after every rebalance. `next` returns no batch of a
   * partition before `onAssigned` has named it, and none after `onAssigned` has left it out. A `seek` made within
   * `onAssigned` applies to the first batch. A consumer that loses its membership is not told: `next` waits until
   * the consumer has partitions again.
   */
  consumer(group: string, onAssigned?: OnAssigned): Promise<LogConsumer>
  /**
   * Reads outside of any group, from no partition until `seek` adds one. There may be any number of followers. They
   * commit nothing, and retention does not wait for them: a follower skips records that are gone.
   */
  follow(): Promise<LogFollower>
  /** Per partition: the position of the oldest record still held, and the one after the newest durable record. */
  bounds(): Promise<readonly LogBounds[]>
  /**
   * Says that the store holds everything below these positions, one per partition. Records below them may be deleted
   * once they are also older than the retention time and below every consumer's position. An adapter whose engine
   * deletes records by time alone, such as Kafka, may ignore the call.
   */
  release(positions: readonly number[]): Promise<void>
  close(): Promise<void>
}

export const appendRecordsMax = 1_000

export interface LogRecord {
  /** Records of one key go to one partition, in order. A non-negative safe integer. */
  readonly key: number
  readonly value: Uint8Array
}

export interface LogBounds {
  readonly start: number
  readonly end: number
}

export interface LogBatch {
  readonly partition: number
  /** The batch holds every record of the partition from this position up to `next`. */
  readonly from: number
  /** Positions of the records, rising. */
  readonly positions: readonly number[]
  readonly values: readonly Uint8Array[]
  /** Where the next batch of this partition starts: the position to commit once this batch is handled. */
  readonly next: number
}

export type OnAssigned = (partitions: readonly number[]) => void

/** Consumers and followers alike. */
export interface LogCursor {
  /**
   * Returns the next records of one partition, at most `recordsMax` and about `LIMITS.workerBatchBytesMax` bytes.
   * Waits until there is a record; returns `undefined` only after `close`.
   */
  next(recordsMax: number): Promise<LogBatch | undefined>
  /** The next batch of that partition starts at `position`, or at the oldest record above it. */
  seek(partition: number, position: number): Promise<void>
  close(): Promise<void>
}

/** A `seek` in a partition that the consumer does not have takes effect once the partition is assigned to it. */
export interface LogConsumer extends LogCursor {
  /**
   * Says that this group needs no record below `position` again. Cheap, and durable some time later. Does nothing for
   * a partition that another consumer has by now.
   */
  commit(partition: number, position: number): Promise<void>
}

/** Reads a partition once `seek` was called for it. */
export interface LogFollower extends LogCursor {
  /** Stops reading this partition until the next `seek`; a `next` under way returns no batch of it either. */
  leave(partition: number): void
}
