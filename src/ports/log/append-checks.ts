/** Checks of arguments that every log adapter makes, and the errors that they share. */

import { RivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { appendRecordsMax, type LogRecord } from './log.ts'

export function checkAppend(records: readonly LogRecord[]): void {
  if (records.length > appendRecordsMax) {
    throw new RivuletError('invalid_request', `one append takes at most ${appendRecordsMax} records`)
  }
  for (const { key, value } of records) {
    if (!Number.isSafeInteger(key) || key < 0) {
      throw new RivuletError('invalid_request', 'a log key is a non-negative safe integer')
    }
    if (value.byteLength > LIMITS.logRecordBytesMax) {
      throw new RivuletError('payload_too_large', `a record has at most ${LIMITS.logRecordBytesMax} bytes`)
    }
  }
}

/** For the positions of `commit`, `seek` and `release`. */
export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0) {
    throw new RivuletError('invalid_request', 'a log position is a non-negative safe integer')
  }
}

export function checkPartition(partition: number, partitions: number): void {
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
    throw new RivuletError('invalid_request', `this log has the partitions 0 to ${partitions - 1}`)
  }
}

export function checkRecordsMax(recordsMax: number): void {
  if (!Number.isInteger(recordsMax) || recordsMax < 1) {
    throw new RivuletError('invalid_request', 'recordsMax is at least 1')
  }
}

export const logClosed = (): RivuletError => new RivuletError('shutting_down', 'the log is closed')

export const groupTaken = (group: string): RivuletError =>
  new RivuletError('conflict', `the group ${group} already has a consumer in this process`)

export const nextPending = (): RivuletError =>
  new RivuletError('conflict', 'the previous `next` of this consumer has not returned yet')
