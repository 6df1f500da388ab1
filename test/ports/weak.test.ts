/**
 * The conformance suites on the weak ports: these delay calls, cut batches short, tear writes and say that something has
 * failed, and still keep every promise of the contracts. What a contract leaves to callers is done here as callers do it:
 * they skip a batch that comes again, and repeat a call that has failed with `unavailable`.
 */

import { afterAll, expect } from 'vitest'
import { isRivuletError } from '../../src/core/errors.ts'
import { createRandom } from '../../src/ports/env/random.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { logConformance } from '../../src/ports/log/conformance.ts'
import type { LogBatch, LogCursor, Log } from '../../src/ports/log/log.ts'
import {
  createMemoryDisk as createLogDisk,
  createMemoryLog,
  type MemoryLog,
} from '../../src/ports/log/memory/memory.ts'
import { storeConformance } from '../../src/ports/store/conformance.ts'
import { createMemoryDisk, createMemoryStore, type MemoryDisk } from '../../src/ports/store/memory/memory.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { viewsConformance } from '../../src/ports/views/conformance.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import { weaken } from '../support/weak.ts'

const PARTITIONS = 3
const env = createRealEnv()
const random = createRandom(20_040_101)
const happened: Record<string, number> = {}
const weakness = { delay: 0.4, duplicate: 0.2, unknown: 0.1, torn: 0.5, unavailable: 0.1, happened }

/** The ports that a suite does not look at. */
const others = {
  log: createMemoryLog({ env, partitions: 1 }),
  store: createMemoryStore({ env, disk: createMemoryDisk() }),
  views: createMemoryViews({ bytesMax: 8 * 2 ** 20 }),
}

logConformance({
  name: 'weak',
  async create() {
    const disk = createLogDisk()
    let log: MemoryLog
    return {
      async open() {
        log = createMemoryLog({ env, partitions: PARTITIONS, disk })
        return skippingRepeats(weaken(env, random, { ...others, log }, weakness).log)
      },
      crash: async () => log.crash(),
    }
  },
})

const disks = new Map<string, MemoryDisk>()

storeConformance({
  name: 'weak',
  modelRuns: 60,
  async open({ place, env }) {
    const disk = disks.get(place) ?? createMemoryDisk()
    disks.set(place, disk)
    const store = createMemoryStore({ env, disk })
    return repeatingFailed(weaken(env, random, { ...others, store }, weakness).store)
  },
})

for (const keep of ['all', 'latest'] as const) {
  viewsConformance({
    name: 'weak',
    keep,
    runs: 60,
    async open({ capacity, lanes }) {
      const views = createMemoryViews({ bytesMax: 64 * 2 ** 20, capacity, lanes, keep })
      return weaken(env, random, { ...others, views }, weakness).views
    },
  })
}

afterAll(() => {
  for (const what of ['duplicateBatch', 'tornWrite', 'unknownWrite', 'storeUnavailable'])
    expect(happened[what], what).toBeGreaterThan(0)
})

/** A weak cursor repeats a batch as the same object. */
function skippingRepeats(log: Log): Log {
  const skipping = <C extends LogCursor>(cursor: C): C => {
    let last: LogBatch | undefined
    return {
      ...cursor,
      async next(recordsMax) {
        for (;;) {
          const batch = await cursor.next(recordsMax)
          if (batch !== undefined && batch === last) continue
          return (last = batch)
        }
      },
    }
  }
  return {
    ...log,
    consumer: async (group, onAssigned) => skipping(await log.consumer(group, onAssigned)),
    follow: async () => skipping(await log.follow()),
  }
}

function repeatingFailed(store: Store): Store {
  async function repeated<R>(call: () => Promise<R>): Promise<R> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!isRivuletError(error, 'unavailable')) throw error
      }
    }
  }
  return {
    ...store,
    get: (keys) => repeated(() => store.get(keys)),
    write: (rows) => repeated(() => store.write(rows)),
  }
}
