/** What the disk of a memory log holds of one partition. */

export interface MemoryPartition {
  /** Sorted by position. */
  records: MemoryRecord[]
  /** Position of the oldest record still held, or `end` when there is none. */
  start: number
  /** Above the newest record. */
  end: number
}

export interface MemoryRecord {
  readonly position: number
  readonly value: Uint8Array
  /** When it was appended; retention goes by it. */
  readonly wallMs: number
}
