/** Shared by the tests of the Cassandra store: options, and a client for statements that the store does not make. */

import { Client } from 'cassandra-driver'
import { inject } from 'vitest'
import type { CassandraOptions } from '../../../../src/ports/store/cassandra/cassandra.ts'
import { ONCE, OTHER, VERSIONED } from '../../../../src/ports/store/conformance/model.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'

export const env = createRealEnv()
export const DATA_CENTER = 'datacenter1'
export const contactPoints = inject('engines').cassandra ?? []

export function optionsOf(keyspace: string): CassandraOptions {
  return {
    env,
    contactPoints,
    localDataCenter: DATA_CENTER,
    keyspace,
    tables: [VERSIONED, OTHER, ONCE],
    deployment: 'here',
    onNotice: () => undefined,
  }
}

export async function connectAdmin(): Promise<Client> {
  const options = { contactPoints: [...contactPoints], localDataCenter: DATA_CENTER }
  // The first client of a new keyspace waits until it is created.
  const admin = new Client({ ...options, socketOptions: { readTimeout: 60_000 } })
  await admin.connect()
  return admin
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
