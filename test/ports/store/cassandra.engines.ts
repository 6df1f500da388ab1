/** The Cassandra store on a real node. */

import { Client } from 'cassandra-driver'
import { afterAll, beforeAll, inject } from 'vitest'
import {
  type CassandraOptions,
  migrateCassandra,
  openCassandraStore,
} from '../../../src/ports/store/cassandra.ts'
import { ONCE, OTHER, VERSIONED } from '../../../src/ports/store/conformance-model.ts'
import { storeConformance } from '../../../src/ports/store/conformance.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'

const options: CassandraOptions = {
  env: createRealEnv(),
  contactPoints: inject('engines').cassandra ?? [],
  localDataCenter: 'datacenter1',
  keyspace: 'suite',
  tables: [VERSIONED, OTHER, ONCE],
  deployment: 'suite',
  onNotice: () => undefined,
}
const admin = new Client({ contactPoints: [...options.contactPoints], localDataCenter: 'datacenter1' })

beforeAll(async () => {
  await admin.connect()
  await migrateCassandra({ ...options, replicationFactor: 1 })
})
afterAll(() => admin.shutdown())

/** Emptying five tables takes 60 ms, making them anew five times as long. A place is never used again after the next. */
let filled: string | undefined
const TABLES = ['rivulet_watermark', ...options.tables.map(({ name }) => `t_${name}`)]

storeConformance({
  name: 'cassandra',
  modelRuns: 25,
  async open({ place, env }) {
    if (place !== filled) await Promise.all(TABLES.map((name) => admin.execute(`TRUNCATE suite.${name}`)))
    filled = place
    return openCassandraStore({ ...options, env })
  },
})
