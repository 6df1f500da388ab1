/** Reads the whole log, which verifies every checksum in it; and reports how far the store holds the log. */

import { isRivuletError } from '../../core/errors.ts'
import type { OpenPorts } from '../ports/parts.ts'
import type { Progress } from '../import/progress.ts'
import { unfinishedImports } from '../import/run.ts'
import { createFaults, type Finding } from './check.ts'

const RECORDS_A_READ = 1_000

export async function checkLog({ log }: OpenPorts, progress: Progress): Promise<Finding> {
  const faults = createFaults()
  const show = progress('log', 'bytes')
  // Reads as the engine's own group and commits nothing: a new group would hold back the log's retention for ever.
  const consumer = await log.consumer('worker')
  let records = 0
  try {
    for (const [partition, { start, end }] of (await log.bounds()).entries()) {
      await consumer.seek(partition, start)
      for (let next = start; next < end;) {
        const batch = await consumer.next(RECORDS_A_READ)
        if (batch === undefined) break
        records += batch.values.length
        next = batch.next
        show(next - start, end - start)
      }
    }
  } catch (error) {
    if (!isRivuletError(error, 'data_corrupt')) throw error
    faults.add(error.message)
  } finally {
    await consumer.close()
  }
  return faults.finding('log', `${records} records`)
}

export async function checkStore({ log, store }: OpenPorts): Promise<Finding> {
  const faults = createFaults()
  for (const name of await unfinishedImports(store)) {
    faults.add(`the import of ${name} was interrupted: run it again`)
  }
  const ends = (await log.bounds()).map(({ end }) => end)
  const watermark = (await store.watermark()).join(', ')
  return faults.finding('store', `holds the log up to ${watermark || 'its start'} of ${ends.join(', ')}`)
}
