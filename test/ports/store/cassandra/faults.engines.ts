/** The Cassandra store when its node freezes or goes down, or answers are lost. A proxy does that, so that the node can serve other tests. */

import type { Client } from 'cassandra-driver'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { migrateCassandra, openCassandraStore } from '../../../../src/ports/store/cassandra/cassandra.ts'
import { ONCE, VERSIONED } from '../../../../src/ports/store/conformance/model.ts'
import { expectCode } from '../../../../src/ports/store/conformance.ts'
import type { Store } from '../../../../src/ports/store/store.ts'
import { type Proxy, startProxy } from '../../../support/proxy.ts'
import { bytes, connectAdmin, contactPoints, optionsOf } from './place.ts'

const KEYSPACE = 'suite_faults'
const options = optionsOf(KEYSPACE)
let admin: Client
let proxy: Proxy
let store: Store

beforeAll(async () => {
  admin = await connectAdmin()
  await migrateCassandra({ ...options, replicationFactor: 1 })
})
afterAll(async () => {
  await admin.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`)
  await admin.shutdown()
})
beforeEach(async () => {
  await admin.execute(`TRUNCATE ${KEYSPACE}.t_${ONCE.name}`)
  const [host, port] = contactPoints[0].split(':')
  proxy = await startProxy({ host, port: Number(port) })
  store = await openCassandraStore({ ...options, contactPoints: [`127.0.0.1:${proxy.port}`] })
  // Prepares statements and opens connections, so that the fault is tested and not the start.
  await touch(1)
})
afterEach(async () => {
  await store.close()
  await proxy.close()
})

const key = { table: VERSIONED, partition: 'p', sort: '' }
const claim = (sort: string, value: string) => ({
  table: ONCE,
  partition: 'p',
  sort,
  value: bytes(value),
})

async function touch(version: number): Promise<void> {
  await store.write([{ ...key, version, value: bytes('value') }])
  await store.get([key])
  await store.insertIfAbsent([claim('first', 'value')])
}

/** The client needs a moment to find the node again. */
const recovers = (version: number) =>
  expect
    .poll(() => touch(version).then(() => 'well', String), { timeout: 30_000, interval: 200 })
    .toBe('well')

test('a frozen node: calls end as unavailable, and go on when it thaws', async () => {
  proxy.freeze()
  await Promise.all([
    expectCode(store.write([{ ...key, version: 2, value: bytes('value') }]), 'unavailable'),
    expectCode(store.get([key]), 'unavailable'),
    expectCode(store.range([{ ...key, from: '', limit: 5 }]), 'unavailable'),
    expectCode(store.scan(VERSIONED, undefined, 5), 'unavailable'),
    expectCode(store.insertIfAbsent([claim('second', 'value')]), 'unavailable'),
    expectCode(store.checkpoint([1]), 'unavailable'),
    expectCode(store.watermark(), 'unavailable'),
  ])
  proxy.thaw()
  await recovers(3)
  expect((await store.get([key]))[0]?.version).toBe(3)
})

test('all nodes down: calls end as unavailable, and the same store goes on when they are back', async () => {
  await proxy.fall()
  await expectCode(store.get([key]), 'unavailable')
  await expectCode(store.write([{ ...key, version: 4, value: bytes('value') }]), 'unavailable')
  await expectCode(store.insertIfAbsent([claim('second', 'value')]), 'unavailable')
  await proxy.rise()
  await recovers(5)
})

test('an insert whose answer was lost knows itself again', async () => {
  proxy.holdAnswers()
  const mine = store.insertIfAbsent([claim('lost', 'mine')])
  const select = `SELECT value FROM ${KEYSPACE}.t_${ONCE.name} WHERE partition = 'p' AND sort = 'lost'`
  const isThere = async () => (await admin.execute(select)).rowLength
  await expect.poll(isThere, { timeout: 20_000, interval: 50 }).toBe(1)
  // The insert is applied, but the store does not know. The connection breaks; the next one works.
  await proxy.fall()
  await proxy.rise()
  proxy.thaw()
  const outcome = await mine.catch((error: unknown) => error)
  if (Array.isArray(outcome)) expect(outcome[0]).toMatchObject({ inserted: true })
  else await expectCode(Promise.reject(outcome as Error), 'unavailable')
  await recovers(6)
  const [again] = await store.insertIfAbsent([claim('lost', 'other')])
  expect([again.inserted, Buffer.from(again.value).toString()]).toEqual([false, 'mine'])
})

test('an insert that waited past its deadline is settled by a serial read', async () => {
  proxy.holdAnswers()
  const mine = store.insertIfAbsent([claim('late', 'mine')])
  // The answer to the insert comes too late, that to the read after it in time.
  await new Promise((resolve) => void options.env.timer(5_500, () => resolve(undefined)))
  proxy.thaw()
  expect((await mine)[0]).toMatchObject({ inserted: true })
})
