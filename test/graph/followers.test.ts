/** Follower rows that change while fan-out reads them. */

import { expect, test } from 'vitest'
import { createFollowerAudience } from '../../src/graph/read/audiences.ts'
import { followerHeadsTable, followerLeavesTable, packFollowers } from '../../src/graph/index.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createMemoryDisk, createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import type { RowWrite, Store } from '../../src/ports/store/store.ts'

const AUTHOR = 7
const WHOLE = [{ key: AUTHOR, bucket: 0, from: 0, to: 2 ** 32 }]

function rowsOf(count: number, version: number): RowWrite[] {
  const { head, leaves } = packFollowers(Uint32Array.from({ length: count }, (_, i) => i + 10))
  return [
    followerHeadsTable.row(followerHeadsTable.key(AUTHOR, 0), version, head),
    ...leaves.map(({ start, numbers }) =>
      followerLeavesTable.row(followerLeavesTable.key(AUTHOR, 0, start), version, numbers),
    ),
  ]
}

test('a head that becomes a directory between two reads loses nobody', async () => {
  const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })
  const store = createMemoryStore({ env, disk: createMemoryDisk() })
  await store.write(rowsOf(1_000, 1))
  let grown = false
  const growing: Store = {
    ...store,
    get: (keys) => store.get(keys),
    range: async (ranges) => {
      const pages = await store.range(ranges)
      if (!grown) await store.write(rowsOf(1_001, 2))
      grown = true
      return pages
    },
  }
  const [numbers] = await createFollowerAudience(growing).membersIn(WHOLE)
  expect(numbers.length).toBe(1_001)
})
