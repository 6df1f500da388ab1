/** Faults of a cluster of three nodes, which these tests have for themselves: the configured node freezes and goes down. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrateCassandra, openCassandraStore } from '../../../../src/ports/store/cassandra/cassandra.ts'
import { ONCE, VERSIONED } from '../../../../src/ports/store/conformance/model.ts'
import type { Store } from '../../../../src/ports/store/store.ts'
import { cassandra } from '../../../../tools/engines/cassandra.ts'
import { openEngineFolder, type Engine } from '../../../../tools/engines/engine.ts'
import { bytes, optionsOf } from './place.ts'

const PARTITIONS = 30
const path = mkdtempSync(join(tmpdir(), 'rivulet-cassandra-cluster-'))
const notices: string[] = []
let engine: Engine
let store: Store

beforeAll(async () => {
  engine = await openEngineFolder(path).up(cassandra, 3, (line) => console.log(line))
  const [{ host, port }] = engine.nodes
  const options = {
    ...optionsOf('suite_cluster'),
    contactPoints: [`${host}:${port}`],
    onNotice: (text: string) => void notices.push(text),
  }
  await migrateCassandra({ ...options, replicationFactor: 3 })
  store = await openCassandraStore(options)
})
afterAll(async () => {
  engine.signal(0, 'SIGCONT')
  await (store as Store | undefined)?.close()
  await engine.stop()
  rmSync(path, { recursive: true, force: true })
})

const keys = Array.from({ length: PARTITIONS }, (_, i) => ({
  table: VERSIONED,
  partition: `p${i}`,
  sort: '',
}))

/** Enough partitions for every node to be asked. */
async function touch(version: number): Promise<void> {
  await store.write(keys.map((key) => ({ ...key, version, value: bytes(`value ${version}`) })))
  const rows = await store.get(keys)
  expect(rows.map((row) => row?.version)).toEqual(keys.map(() => version))
  const claim = { table: ONCE, partition: `p${version}`, sort: 'claim', value: bytes('mine') }
  // A request that goes to the node that is down may fail once.
  const claimed = () =>
    store.insertIfAbsent([claim]).then(([{ value }]) => Buffer.from(value).toString(), String)
  await expect.poll(claimed, { timeout: 30_000 }).toBe('mine')
}

test('the nodes that are found are spoken to, and no one of them is needed', async () => {
  await touch(1)
  expect(notices.filter((text) => text.includes('cannot be reached'))).toEqual([])
  engine.signal(0, 'SIGSTOP')
  for (let version = 2; version < 6; version++) await touch(version)
  engine.signal(0, 'SIGCONT')
  await touch(6)
})

test('a node that falls is told of, and so is its return', async () => {
  const { host, port } = engine.nodes[1]
  await engine.kill(1)
  await touch(7)
  const told = (what: string) =>
    notices.some((text) => text === `Cassandra: the node ${host}:${port} ${what}`)
  await expect.poll(() => told('cannot be reached')).toBe(true)
  await engine.restart(1)
  await expect.poll(() => told('can be reached again'), { timeout: 60_000 }).toBe(true)
  await touch(8)
})
