/** The Cassandra store on a real node: the conformance suite, and several processes on one keyspace. */

import type { Client } from 'cassandra-driver'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { migrateCassandra, openCassandraStore } from '../../../../src/ports/store/cassandra/cassandra.ts'
import { HOUR_MS, ONCE, OTHER, VERSIONED } from '../../../../src/ports/store/conformance/model.ts'
import { expectCode, scanAll, storeConformance } from '../../../../src/ports/store/conformance.ts'
import type { RowWrite, Store, Table } from '../../../../src/ports/store/store.ts'
import { bytes, connectAdmin, env, optionsOf } from './place.ts'
import { twinsOf } from './twins.ts'

const KEYSPACE = 'suite'
const options = optionsOf(KEYSPACE)
let admin: Client

beforeAll(async () => {
  admin = await connectAdmin()
  await migrateCassandra({ ...options, replicationFactor: 1 })
})
afterAll(() => admin.shutdown())

/** Empties the tables, which takes 60 ms; creating them anew would take five times as long. */
async function empty(): Promise<void> {
  const names = ['rivulet_watermark', ...options.tables.map(({ name }) => `t_${name}`)]
  await Promise.all(names.map((name) => admin.execute(`TRUNCATE ${KEYSPACE}.${name}`)))
}

/** The suite does not come back to a place once it has opened another. */
let filled: string | undefined

storeConformance({
  name: 'cassandra',
  modelRuns: 200,
  async open({ place, env }) {
    if (place !== filled) await empty()
    filled = place
    return openCassandraStore({ ...options, env })
  },
})

const row = (sort: string, version: number, more: Partial<RowWrite> = {}): RowWrite => ({
  table: VERSIONED,
  partition: 'p',
  sort,
  version,
  value: bytes(`${sort}@${version}`),
  ...more,
})

describe('several stores on one keyspace', () => {
  let stores: Store[] = []
  const open = async () => {
    const store = await openCassandraStore(options)
    stores.push(store)
    return store
  }
  beforeEach(async () => {
    filled = undefined
    await empty()
  })
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()))
    stores = []
  })

  test('the newest version stands, whoever writes it, and each sees what the other was told is written', async () => {
    const [one, other] = [await open(), await open()]
    for (let version = 1; version <= 30; version++) {
      await (version % 2 === 0 ? one : other).write([row('a', version)])
      const [seen] = await (version % 2 === 0 ? other : one).get([row('a', 0)])
      expect(seen?.version).toBe(version)
    }
    await Promise.all([one, other].map((store, turn) => store.write([row('b', 8 + turn), row('a', turn)])))
    const rows = await one.get([row('a', 0), row('b', 0)])
    expect(rows.map((each) => each?.version)).toEqual([30, 9])
  })

  test('of 24 stores that insert at once, one wins and all know it', { timeout: 120_000 }, async () => {
    await Promise.all(Array.from({ length: 24 }, open))
    for (let round = 0; round < 6; round++) {
      const insert = (store: Store, index: number) =>
        store.insertIfAbsent([
          { table: ONCE, partition: `round-${round}`, sort: 's', value: bytes(`store-${index}`) },
        ])
      const answers = (await Promise.all(stores.map(insert))).flat()
      const winners = answers.flatMap(({ inserted }, index) => (inserted ? [index] : []))
      expect(winners.length).toBe(1)
      const value = Buffer.from(`store-${winners[0]}`)
      expect(answers.filter((each) => Buffer.compare(each.value, value) !== 0)).toEqual([])
    }
  })

  test('a process that is behind does not lower the watermark', async () => {
    const [stale, current] = [await open(), await open()]
    await stale.checkpoint([5, 5])
    await current.checkpoint([9, 7])
    await stale.checkpoint([6, 8])
    expect(await current.watermark()).toEqual([9, 8])
    expect(await stale.watermark()).toEqual([9, 8])
  })

  test('rows of one partition, over all tables, are one record of the commit log', async () => {
    const store = await open()
    const rows = [VERSIONED, OTHER].flatMap((table) => [row('a', 3, { table }), row('b', 3, { table })])
    await store.write(rows)
    expect((await store.get(rows)).map((each) => each?.version)).toEqual([3, 3, 3, 3])
    // Traces the store's own statements: the server reports how it executed them.
    const queries = rows.map((each) => ({
      query: `INSERT INTO ${KEYSPACE}.t_${each.table.name} (partition, sort, value, expires_at) VALUES (?, ?, ?, ?) USING TIMESTAMP 4`,
      params: [each.partition, each.sort, Buffer.from(each.value), '9'],
    }))
    const { info } = await admin.batch(queries, { prepare: true, logged: false, traceQuery: true })
    const activities = async () => {
      const select = 'SELECT activity FROM system_traces.events WHERE session_id = ?'
      const { rows } = await admin.execute(select, [info.traceId], { prepare: true, consistency: 1 })
      return rows.map((each) => String(each.activity))
    }
    const added = (all: string[]) => all.filter((each) => each.startsWith('Adding to t_')).length
    await expect.poll(async () => added(await activities()), { timeout: 20_000 }).toBe(2)
    expect((await activities()).filter((each) => each === 'Appending to commitlog')).toHaveLength(1)
  })

  test('Cassandra may drop an ended row a day later, and one without an end never', async () => {
    const store = await open()
    const nowMs = env.wallMs()
    const far = Date.UTC(2060, 0)
    await store.write([
      row('ended', 1, { expiresAtMs: nowMs - HOUR_MS }),
      row('ending', 1, { expiresAtMs: nowMs + HOUR_MS }),
      row('far', 1, { expiresAtMs: far }),
      row('never', 1),
      row('no-more', 1, { expiresAtMs: nowMs + HOUR_MS }),
    ])
    await store.write([row('no-more', 2)])
    const { rows } = await admin.execute(
      `SELECT sort, TTL(value) AS seconds FROM ${KEYSPACE}.t_${VERSIONED.name}`,
    )
    const hours = rows.map((each) => [
      each.sort,
      each.seconds && Math.round((each.seconds as number) / 3_600),
    ])
    expect(Object.fromEntries(hours)).toEqual({
      ended: 24,
      ending: 25,
      far: null,
      never: null,
      'no-more': null,
    })
    const [live] = await store.range([{ table: VERSIONED, partition: 'p', from: '', limit: 10 }])
    expect(live.map((each) => each.sort)).toEqual(['ending', 'far', 'never', 'no-more'])
  })

  test('a scan leaves out no partition that shares its token with another', async () => {
    const store = await open()
    const twins = twinsOf(1, 3)
    const tokens = await Promise.all(
      twins.map(async (partition) => {
        await store.write(['a', 'b', 'c'].map((sort) => row(sort, 1, { partition })))
        const select = `SELECT token(partition) AS place FROM ${KEYSPACE}.t_${VERSIONED.name} WHERE partition = ? LIMIT 1`
        return String((await admin.execute(select, [partition], { prepare: true })).first().place)
      }),
    )
    expect(new Set(tokens).size).toBe(1)
    await store.write(Array.from({ length: 20 }, (_, index) => row('s', 1, { partition: `other-${index}` })))
    for (const limit of [1, 2, 3, 4, 7]) {
      const seen = (await scanAll(store, VERSIONED, limit)).map((each) => `${each.partition}/${each.sort}`)
      expect(new Set(seen).size).toBe(9 + 20)
      expect(seen.length).toBe(9 + 20)
    }
  })

  test('a write too large for one mutation is refused, and nothing of its call is written', async () => {
    const store = await open()
    const value = new Uint8Array(2 ** 21)
    await expectCode(
      store.write([row('a', 1, { partition: 'q' }), row('b', 1, { value }), row('c', 1, { value })]),
      'internal',
    )
    expect(await scanAll(store, VERSIONED, 10)).toEqual([])
    await store.write([row('b', 1, { value }), row('c', 1, { value, partition: 'q' })])
  })

  test('a table that was not declared is a mistake', async () => {
    const store = await open()
    const stranger: Table = { name: 'stranger', kind: 'versioned' }
    await expectCode(store.get([row('a', 1, { table: stranger })]), 'internal')
  })
})
