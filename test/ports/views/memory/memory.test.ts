import { describe, expect, it } from 'vitest'
import { ID_MAX } from '../../../../src/core/ids.ts'
import { LIMITS } from '../../../../src/core/limits.ts'
import { toEntries } from '../../../../src/ports/views/conformance/model.ts'
import { viewsConformance } from '../../../../src/ports/views/conformance.ts'
import { createMemoryViews, memoryViewsBytesMin } from '../../../../src/ports/views/memory/memory.ts'
import type { Views } from '../../../../src/ports/views/views.ts'

const MIB = 2 ** 20

for (const keep of ['all', 'latest'] as const) {
  viewsConformance({
    name: 'memory',
    keep,
    open: async ({ capacity, lanes }) => createMemoryViews({ bytesMax: 64 * MIB, capacity, lanes, keep }),
  })
}

const CALL_OWNERS = 4_000

/** `count` entries for each owner, ids rising from `firstId`; one id an entry, as posts are. */
async function fill(views: Views, owners: Uint32Array, count: number, firstId = 1): Promise<void> {
  for (let n = 0; n < count; n++) {
    for (let at = 0; at < owners.length; at += CALL_OWNERS) {
      const part = owners.subarray(at, at + CALL_OWNERS)
      await views.insert([{ id: firstId + n, ref: 1, kind: 0, owners: part }])
    }
  }
}

const numbers = (from: number, to: number) => Uint32Array.from({ length: to - from }, (_, i) => from + i)
const living = async (views: Views, owners: Iterable<number>) => {
  const alive: number[] = []
  for (const owner of owners) if ((await views.range(owner, ID_MAX, 1)) !== undefined) alive.push(owner)
  return alive
}

describe('memory views: the cap of 800', () => {
  it('trims exactly and sets the floor to the last id that went', async () => {
    const views = createMemoryViews({ bytesMax: 8 * MIB })
    const [epoch] = await views.open([1])
    await views.settle(1, epoch, 0)
    for (let id = 1; id <= 2_500; id++) {
      await views.insert([{ id, ref: id, kind: id % 2_048, owners: Uint32Array.of(1) }])
      const page = await views.range(1, ID_MAX, 1)
      expect(page!.header.floor).toBe(Math.max(0, id - LIMITS.timelineEntriesMax))
      expect(page!.entries.ids[0]).toBe(id)
    }
    const { entries } = (await views.range(1, ID_MAX, 1_000))!
    expect(entries.length).toBe(800)
    expect([...entries.ids]).toEqual(Array.from({ length: 800 }, (_, i) => 2_500 - i))
    expect([...entries.kinds]).toEqual(Array.from({ length: 800 }, (_, i) => (2_500 - i) % 2_048))
    expect(views.stats().entries).toBe(800)
  })

  it('sorts in what comes far out of order', async () => {
    const views = createMemoryViews({ bytesMax: 8 * MIB })
    await views.open([1])
    for (let n = 0; n < 3_000; n++) {
      await views.insert([{ id: ((n * 1_237) % 3_001) + 1, ref: 1, kind: 0, owners: Uint32Array.of(1) }])
    }
    const given = Array.from({ length: 3_000 }, (_, n) => ((n * 1_237) % 3_001) + 1).sort((a, b) => b - a)
    expect([...(await views.range(1, ID_MAX, 1_000))!.entries.ids]).toEqual(given.slice(0, 800))
  })
})

describe('memory views: the budget', () => {
  it('refuses one that cannot hold what must exist, and a capacity out of range', () => {
    expect(() => createMemoryViews({ bytesMax: memoryViewsBytesMin() - 1 })).toThrow('at least')
    expect(() => createMemoryViews({ bytesMax: Number.NaN })).toThrow('at least')
    for (const capacity of [0, 1.5, 70_000]) {
      expect(() => createMemoryViews({ bytesMax: 64 * MIB, capacity })).toThrow('capacity')
    }
  })

  it('starts small', async () => {
    const views = createMemoryViews({ bytesMax: 4 * 2 ** 30 })
    await fill(views, await opened(views, 0, 10), 10)
    expect(views.stats().bytes).toBeLessThan(3 * MIB)
  })

  it('stays within it to the byte, whatever comes, and uses nearly all of it', async () => {
    for (const bytesMax of [memoryViewsBytesMin(), 8_000_001, 12_345_678]) {
      const views = createMemoryViews({ bytesMax })
      for (let round = 0; round < 40; round++) {
        const owners = await opened(views, round * 500, round * 500 + 500)
        await fill(views, owners, 60, round * 100 + 1)
        expect(views.stats().bytes).toBeLessThanOrEqual(bytesMax)
      }
      const stats = views.stats()
      expect(stats.bytes).toBeGreaterThan(bytesMax * 0.8)
      expect(stats.evictedTotal).toBe(20_000 - stats.timelines)
      expect(stats.evictedTotal).toBeGreaterThan(0)
    }
  })

  it('counts what it holds after evictions', async () => {
    const views = createMemoryViews({ bytesMax: memoryViewsBytesMin() })
    await fill(views, await opened(views, 0, 4_000), 70)
    let entries = 0
    const alive = await living(views, numbers(0, 4_000))
    for (const owner of alive) entries += (await views.range(owner, ID_MAX, 1_000))!.entries.length
    expect(views.stats()).toMatchObject({ timelines: alive.length, entries })
  })

  it('evicts cold timelines and spares those that are read', async () => {
    const views = createMemoryViews({ bytesMax: memoryViewsBytesMin() })
    const read = numbers(0, 100)
    await fill(views, await opened(views, 0, 100), 65)
    for (let round = 1; round < 60; round++) {
      await living(views, read)
      await fill(views, await opened(views, round * 100, round * 100 + 100), 65, 1_000 * round)
    }
    expect(views.stats().evictedTotal).toBeGreaterThan(1_000)
    expect(await living(views, read)).toHaveLength(100)
  })

  it('does not warm a timeline by inserting into it', async () => {
    const views = createMemoryViews({ bytesMax: memoryViewsBytesMin() })
    const pushed = await opened(views, 0, 100)
    await fill(views, pushed, 65)
    for (let round = 1; round < 60; round++) {
      await fill(views, pushed, 1, 1_000 * round)
      await fill(views, await opened(views, round * 100, round * 100 + 100), 65, 1_000 * round + 1)
    }
    expect(await living(views, pushed)).toHaveLength(0)
  })

  it('never evicts the timeline it inserts into or merges into', async () => {
    const views = createMemoryViews({ bytesMax: memoryViewsBytesMin(), capacity: LIMITS.timelineEntriesMax })
    const full = toEntries(Array.from({ length: 800 }, (_, i) => ({ id: 800 - i, ref: 1, kind: 0 })))
    for (let owner = 0; owner < 2_000; owner++) {
      const [epoch] = await views.open([owner])
      expect(await views.merge(owner, epoch, full)).toBe(true)
      expect((await views.range(owner, ID_MAX, 1_000))!.entries.length).toBe(800)
    }
    expect(views.stats().evictedTotal).toBeGreaterThan(0)
  })

  it('goes on when headers alone outgrow it, and when account numbers are far apart', async () => {
    const views = createMemoryViews({ bytesMax: memoryViewsBytesMin() })
    for (let n = 0; n < 3_000; n++) {
      const owner = (n * 1_431_655_765) >>> 0
      await views.open([owner])
      await views.insert([{ id: n + 1, ref: 1, kind: 0, owners: Uint32Array.of(owner) }])
      expect((await views.range(owner, ID_MAX, 1))!.entries.length).toBe(1)
    }
    expect(views.stats().bytes).toBeLessThanOrEqual(memoryViewsBytesMin())
    await opened(views, 0, 200_000)
    expect(views.stats().bytes).toBeLessThanOrEqual(memoryViewsBytesMin())
    expect(views.stats().timelines).toBe((await living(views, numbers(0, 200_000))).length)
  })

  it('takes in new accounts when the blocks have filled it', async () => {
    const views = createMemoryViews({ bytesMax: 24 * MIB })
    for (let round = 0; round < 12; round++) {
      const owners = await opened(views, round * 8_192, round * 8_192 + 4_000)
      await fill(views, owners, 40, round * 100 + 1)
      const page = await views.range(owners[owners.length - 1], ID_MAX, 100)
      expect(page!.entries.length).toBe(40)
    }
    expect(views.stats().bytes).toBeLessThanOrEqual(24 * MIB)
  })
})

async function opened(views: Views, from: number, to: number): Promise<Uint32Array> {
  const owners = numbers(from, to)
  await views.open([...owners])
  return owners
}

describe('memory views: blocks', () => {
  it('are reused without a leak over many cycles of open, insert, merge and evict', async () => {
    const views = createMemoryViews({ bytesMax: 32 * MIB, capacity: 100 })
    const cycle = async () => {
      const owners = await opened(views, 0, 1_000)
      await fill(views, owners, 130)
      const merged = toEntries(Array.from({ length: 90 }, (_, i) => ({ id: 5_000 - i, ref: 2, kind: 3 })))
      const epochs = await views.open([...owners.subarray(0, 500)])
      for (const [i, epoch] of epochs.entries()) await views.merge(i, epoch, merged)
      await views.insert([{ id: 4_000, ref: 2, kind: 3, owners }])
      expect(views.stats().entries).toBe(500 * 91 + 500 * 100)
      await views.evict(owners)
      expect(views.stats()).toMatchObject({ timelines: 0, entries: 0, evictedTotal: 0 })
    }
    await cycle()
    const { bytes } = views.stats()
    for (let i = 0; i < 10; i++) await cycle()
    expect(views.stats().bytes).toBe(bytes)
  })
})

describe('memory views: misuse', () => {
  it('rejects a bad entry before anything changes', async () => {
    const views = createMemoryViews({ bytesMax: 8 * MIB })
    const [epoch] = await views.open([1])
    const owners = Uint32Array.of(1)
    const good = { id: 5, ref: 1, kind: 0, owners }
    for (const bad of [{ id: 0 }, { id: 1.5 }, { id: 2 ** 53 }, { kind: 2_048 }, { ref: -1 }]) {
      await expect(views.insert([good, { ...good, ...bad }])).rejects.toThrow('invariant')
    }
    const unsorted = toEntries([1, 2].map((id) => ({ id, ref: 1, kind: 0 })))
    await expect(views.merge(1, epoch, unsorted)).rejects.toThrow('newest first')
    expect((await views.range(1, ID_MAX, 10))!.entries.length).toBe(0)
  })

  it('refuses calls after close', async () => {
    const views = createMemoryViews({ bytesMax: 8 * MIB })
    await views.close()
    await expect(views.open([1])).rejects.toMatchObject({ code: 'shutting_down' })
  })
})
