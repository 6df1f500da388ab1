/** Ports for tests of the product: in memory, or on the engines that were started for this run. */

import { inject } from 'vitest'
import type { Env } from '../../src/ports/env/env.ts'
import type { Ephemeral } from '../../src/ports/ephemeral/ephemeral.ts'
import { createMemoryEphemeral } from '../../src/ports/ephemeral/memory.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import type { Log } from '../../src/ports/log/log.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import type { Views } from '../../src/ports/views/views.ts'

export interface TestPorts {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly views: Views
  readonly ephemeral: Ephemeral
  /** The ports of another process of the same deployment, where there can be one. */
  another?(): Promise<Pick<TestPorts, 'env' | 'log' | 'store' | 'views'>>
  close(): Promise<void>
}

const PARTITIONS = 8

export async function openTestPorts(env: Env): Promise<TestPorts> {
  const { kafka, cassandra, redis } = inject('engines') ?? {}
  if (kafka === undefined || cassandra === undefined || redis === undefined) {
    const log = createMemoryLog({ env, partitions: PARTITIONS })
    const views = createMemoryViews({ bytesMax: 64 * 2 ** 20, lanes: PARTITIONS })
    const ephemeral = createMemoryEphemeral({ env })
    return { env, log, store: createMemoryStore({ env }), views, ephemeral, close: async () => undefined }
  }
  // Imported only here, because its drivers are not needed without engines.
  const { openEnginePlace } = await import('./engine-place.ts')
  const place = await openEnginePlace({ kafka, cassandra, redis }, env, PARTITIONS)
  const { store, ephemeral, close } = place
  const another = async () => ({ env, log: await place.openLog(), store, views: place.newViews() })
  return { ...(await another()), ephemeral, another, close }
}
