/** The log under test, with what the suite's cases use to fill and read it. */

import { expect } from 'vitest'
import type { ErrorCode } from '../../../core/errors.ts'
import type { Log, LogBatch, LogConsumer, LogCursor, LogRecord } from '../log.ts'

/** One log that can be opened more than once: a folder, a disk object, a set of topics. */
export interface LogUnderTest {
  open(): Promise<Log>
  /** Ends the open log as a crash would, without `close`. Leave it out if the adapter cannot do so. */
  crash?(): Promise<void>
  remove?(): Promise<void>
}

export interface Context {
  log: Log
  subject: LogUnderTest
}

export interface Seen {
  readonly values: string[]
  readonly positions: number[]
  readonly batches: LogBatch[]
}

export const GROUP = 'conformance'
export const record = (key: number, text: string): LogRecord => ({ key, value: Buffer.from(text) })
export const texts = (batch: LogBatch): string[] => batch.values.map((value) => Buffer.from(value).toString())

/** Reads until `count` records came. */
export async function take(cursor: LogCursor, count: number, recordsMax = 256): Promise<Seen> {
  const seen: Seen = { values: [], positions: [], batches: [] }
  while (seen.values.length < count) {
    const batch = await cursor.next(recordsMax)
    if (batch === undefined) throw new Error(`closed after ${seen.values.length} of ${count} records`)
    seen.values.push(...texts(batch))
    seen.positions.push(...batch.positions)
    seen.batches.push(batch)
  }
  return seen
}

export async function commitAll(consumer: LogConsumer, { batches }: Seen): Promise<void> {
  for (const { partition, next } of batches) await consumer.commit(partition, next)
}

/** A key of each partition. */
export function keysOf(log: Log): number[] {
  const keys: number[] = []
  for (let key = 0; Object.keys(keys).length < log.partitions; key++) keys[log.partitionOf(key)] ??= key
  return keys
}

export const expectCode = (promise: Promise<unknown>, code: ErrorCode) =>
  expect(promise).rejects.toMatchObject({ name: 'RivuletError', code })
