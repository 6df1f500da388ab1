/** The memory store: the conformance suite, and crashes that lose what the contract allows and nothing else. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRandom } from '../../../../src/ports/env/random.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { expectCode, storeConformance } from '../../../../src/ports/store/conformance.ts'
import {
  crash,
  createMemoryDisk,
  createMemoryStore,
  type MemoryDisk,
} from '../../../../src/ports/store/memory/memory.ts'
import type { RowWrite, Table } from '../../../../src/ports/store/store.ts'

const disks = new Map<string, MemoryDisk>()

storeConformance({
  name: 'memory',
  modelRuns: 500,
  async open({ place, env }) {
    const disk = disks.get(place) ?? createMemoryDisk()
    disks.set(place, disk)
    return createMemoryStore({ env, disk })
  },
})

const env = createRealEnv()
const posts: Table = { name: 'posts', kind: 'versioned' }
const counts: Table = { name: 'counts', kind: 'versioned' }
const claims: Table = { name: 'claims', kind: 'once' }
const value = new Uint8Array([1])

/** Writes, in one call, to two partitions a row of each of two tables. */
const call = (version: number): RowWrite[] =>
  ['p', 'q'].flatMap((partition) =>
    [posts, counts].map((table) => ({ table, partition, sort: String(version), version, value })),
  )

test('a crash keeps what was checkpointed and inserted, and of the rest the first whole groups', async () => {
  const seen = { kept: 0, lost: 0, split: 0 }
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.nat({ max: 8 }), fc.nat({ max: 8 }), async (seed, before, after) => {
      const disk = createMemoryDisk()
      const store = createMemoryStore({ env, disk })
      for (let version = 1; version <= before; version++) await store.write(call(version))
      await store.checkpoint([before])
      for (let version = before + 1; version <= before + after; version++) await store.write(call(version))
      await store.insertIfAbsent([{ table: claims, partition: 'p', sort: '', value }])

      crash(disk, createRandom(seed))

      await expectCode(store.watermark(), 'unavailable')
      const again = createMemoryStore({ env, disk })
      expect(await again.watermark()).toEqual([before])
      expect((await again.get([{ table: claims, partition: 'p', sort: '' }]))[0]).toBeDefined()
      let isLost = false
      for (let version = 1; version <= before + after; version++) {
        const [postP, countP, postQ, countQ] = (await again.get(call(version))).map(
          (row) => row !== undefined,
        )
        expect([postP, postQ]).toEqual([countP, countQ])
        if (version <= before) expect([postP, postQ]).toEqual([true, true])
        // Partition p was written first.
        for (const isThere of [postP, postQ]) {
          expect(isThere && isLost).toBe(false)
          isLost ||= !isThere
        }
        if (version > before) seen[postP !== postQ ? 'split' : postP ? 'kept' : 'lost']++
      }
    }),
    { numRuns: 300 },
  )
  expect(Math.min(seen.kept, seen.lost, seen.split)).toBeGreaterThan(0)
})

test('a crash brings back the row of the checkpoint where its successor is lost', async () => {
  const disk = createMemoryDisk()
  const store = createMemoryStore({ env, disk })
  await store.write(call(1))
  await store.checkpoint([1])
  await store.write(call(1).map((row) => ({ ...row, version: 9 })))
  crash(disk, () => 0)
  const [row] = await createMemoryStore({ env, disk }).get(call(1))
  expect(row?.version).toBe(1)
})

test('what a crash left is durable: a second crash takes nothing more', async () => {
  const disk = createMemoryDisk()
  await createMemoryStore({ env, disk }).write([...call(1), ...call(2)])
  crash(disk, () => 0.5)
  const before = await createMemoryStore({ env, disk }).scan(posts, undefined, 100)
  expect(before.map((row) => row.partition)).toEqual(['p', 'p'])
  crash(disk, () => 0)
  expect(await createMemoryStore({ env, disk }).scan(posts, undefined, 100)).toEqual(before)
})
