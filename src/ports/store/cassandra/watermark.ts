/**
 * The watermark: a row for each partition of the log, with the position as its write time. So the highest position wins,
 * whoever writes it and when, and a process that is behind cannot lower it. Acknowledged writes are replicated already,
 * so a checkpoint has nothing to flush.
 */

import { assert } from '../../../core/errors.ts'
import type { CassandraClient } from './client.ts'

export interface CassandraWatermark {
  raise(positions: readonly number[]): Promise<void>
  read(): Promise<readonly number[]>
}

export const WATERMARK_TABLE = 'rivulet_watermark'
export const WATERMARK_COLUMNS = { name: 'text', log_partition: 'int', position: 'bigint' } as const
/** The only partition of the table, so that all positions are written in one mutation. */
const NAME = 'log'
const LOG_PARTITIONS_MAX = 4_096

export function createCassandraWatermark(client: CassandraClient, keyspace: string): CassandraWatermark {
  const table = `${keyspace}.${WATERMARK_TABLE}`
  const insert = `INSERT INTO ${table} (name, log_partition, position) VALUES (?, ?, ?) USING TIMESTAMP ?`
  const select = `SELECT log_partition, position FROM ${table} WHERE name = ?`
  return {
    async raise(positions) {
      assert(positions.length <= LOG_PARTITIONS_MAX, `a log of ${positions.length} partitions`)
      for (const position of positions) {
        assert(Number.isSafeInteger(position) && position >= 0, `log position ${position}`)
      }
      if (positions.length === 0) return
      const toStatement = (position: number, partition: number) => ({
        query: insert,
        params: [NAME, partition, BigInt(position), BigInt(position)],
      })
      await client.write(positions.map(toStatement))
    },
    async read() {
      const { rows } = await client.read({ query: select, params: [NAME] }, { rows: LOG_PARTITIONS_MAX })
      const positions: number[] = []
      for (const { log_partition, position } of rows as unknown as readonly WatermarkRow[]) {
        while (positions.length < log_partition) positions.push(0)
        positions.push(Number(position))
      }
      return positions
    },
  }
}

interface WatermarkRow {
  readonly log_partition: number
  readonly position: bigint
}
