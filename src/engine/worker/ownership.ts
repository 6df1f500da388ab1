/** What differs for a worker between a process that does everything and one that shares the work. */

import type { Event } from '../events.ts'
import type { Projected } from './projected.ts'

/** What a worker asks and tells about the partitions that it owns. */
export interface Ownership {
  readonly checkpointMs: number
  /** These partitions are about to be owned; nothing of them has been read. */
  gained(partitions: ReadonlySet<number>): Promise<void>
  /** @returns where to begin: at the watermark or before it */
  startAt(partition: number, watermark: number): number
  owned(partition: number, from: number): void
  lost(partitions: ReadonlySet<number>): void
  /** The worker has projected events of this partition, of which these were taken. */
  projected(partition: number, taken: readonly Event[]): void
  /** Every reactor that holds the view has finished these batches of one partition. */
  viewDone(view: string, done: readonly Projected[]): Promise<void>
  /** Every reactor that holds any view has finished these batches. */
  done(batches: readonly Projected[]): void
  /** @returns up to where the partition may be saved as done, of which everything below `reacted` is done */
  savable(partition: number, reacted: number): number
  /** Writes what must be known of events below a checkpoint, which are not read again. */
  beforeCheckpoint(): Promise<void>
}
