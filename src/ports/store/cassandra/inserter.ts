/**
 * `insertIfAbsent` by lightweight transactions. Each row carries the id of the attempt that wrote it. When the outcome
 * of an attempt is unknown, a serial read settles whatever is under way, and the id in the row says whether it is ours.
 * An attempt that left no row is repeated with the same id. So even if a delayed request runs after all, there is one
 * row, and it counts as ours.
 */

import { types } from 'cassandra-driver'
import { isRivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { sleep } from '../../env/sleep.ts'
import type { CassandraClient } from './client.ts'
import { unavailable } from './errors.ts'
import { createSlots, mapBounded, type Slots } from './slots.ts'
import { type Statements, toCqlPartition } from './tables.ts'
import type { Inserted, RowInsert, Table } from '../store.ts'

export interface CassandraInserter {
  insert(rows: readonly RowInsert[]): Promise<readonly Inserted[]>
}

/** Partitions of one call at a time. */
const WIDTH = 16
const TRIES_MAX = 5
const DEADLINE_MS = 8_000
const PAUSE_MS_MAX = 250
const UUID_BYTES = 16
const WAITING_MAX = 4_096

export function createCassandraInserter(
  env: Env,
  client: CassandraClient,
  statementsOf: (table: Table) => Statements,
): CassandraInserter {
  const inTurn = createTurns(env)

  async function insertOne(row: RowInsert): Promise<Inserted> {
    const attempt = new types.Uuid(Buffer.from(env.randomBytes(UUID_BYTES)))
    const startMs = env.monotonicMs()
    let failure: unknown
    for (let tries = 1; ; tries++) {
      try {
        const answer = await tryInsert(row, attempt)
        if (answer !== undefined) return answer
      } catch (error) {
        if (!isRivuletError(error, 'unavailable')) throw error
        failure = error
      }
      if (tries === TRIES_MAX || env.monotonicMs() - startMs > DEADLINE_MS) {
        const message = `Cassandra did not settle an insert into ${row.table.name} in ${tries} tries; retry`
        throw unavailable(message, failure)
      }
      await sleep(env, env.random() * PAUSE_MS_MAX * tries)
    }
  }

  /** @returns `undefined` when the outcome was unknown and there is no row */
  async function tryInsert(row: RowInsert, attempt: types.Uuid): Promise<Inserted | undefined> {
    const { insert, standing } = statementsOf(row.table)
    const value = Buffer.from(row.value.buffer, row.value.byteOffset, row.value.byteLength)
    const key = [toCqlPartition(row.partition), row.sort]
    try {
      const result = await client.transact({ query: insert, params: [...key, value, attempt] })
      if (result.wasApplied()) return { inserted: true, value: row.value }
      return toInserted(result.first(), attempt)
    } catch (error) {
      if (!isRivuletError(error, 'unavailable')) throw error
    }
    const found = await client.readSerial({ query: standing, params: key })
    return found === undefined ? undefined : toInserted(found, attempt)
  }

  return {
    async insert(rows) {
      const first = new Map<string, RowInsert>()
      for (const row of rows) if (!first.has(idOf(row))) first.set(idOf(row), row)
      const partitions = groupByPartition(first.values())
      const answers = new Map<RowInsert, Inserted>()
      await mapBounded([...partitions], WIDTH, async ([id, group]) => {
        for (const row of group) answers.set(row, await inTurn(id, () => insertOne(row)))
      })
      return rows.map((row) => {
        const one = first.get(idOf(row)) as RowInsert
        const answer = answers.get(one) as Inserted
        return one === row ? answer : { inserted: false, value: answer.value }
      })
    },
  }
}

const partitionIdOf = (row: RowInsert) => `${row.table.name}\0${row.partition}`
const idOf = (row: RowInsert) => `${partitionIdOf(row)}\0${row.sort}`

function groupByPartition(rows: Iterable<RowInsert>): Map<string, RowInsert[]> {
  const groups = new Map<string, RowInsert[]>()
  for (const row of rows) {
    const group = groups.get(partitionIdOf(row))
    if (group === undefined) groups.set(partitionIdOf(row), [row])
    else group.push(row)
  }
  return groups
}

const toInserted = (row: types.Row, attempt: types.Uuid): Inserted => ({
  inserted: attempt.equals(row.attempt as types.Uuid),
  value: row.value as Buffer,
})

/** Transactions on one partition make each other fail, so this process runs one per partition at a time. */
function createTurns(env: Env) {
  const partitions = new Map<string, Slots>()
  return async <T>(id: string, task: () => Promise<T>): Promise<T> => {
    const turn =
      partitions.get(id) ?? createSlots({ env, count: 1, waitingMax: WAITING_MAX, waitMsMax: DEADLINE_MS })
    partitions.set(id, turn)
    try {
      return await turn.run(task)
    } finally {
      if (turn.isIdle) partitions.delete(id)
    }
  }
}
