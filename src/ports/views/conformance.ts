/** What every adapter of `views` must do, as a vitest suite: adapters' tests call it. */

import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { ID_MAX } from '../../core/ids.ts'
import { type Entry, LANES, Model, fromEntries, scenario, toEntries } from './conformance-model.ts'
import type { ViewPage, Views } from './views.ts'

export interface ViewsSuite {
  readonly name: string
  /** Empty views on every call. */
  open(options: { readonly capacity: number; readonly lanes: number }): Promise<Views>
  /** Counts as new what a timeline held already: an adapter may not look. */
  readonly countsRepeats?: boolean
  /** How many random histories to try. */
  readonly runs?: number
}

const entry = (id: number, kind = 0): Entry => ({ id, author: id % 1_000, kind })
const entriesOf = (...ids: number[]) => toEntries(ids.map((id) => entry(id)))
const idsOf = (page: ViewPage | undefined) => page && fromEntries(page.entries).map(({ id }) => id)

export function viewsConformance(suite: ViewsSuite): void {
  describe(`views: ${suite.name}`, () => {
    const opened: Views[] = []
    const openViews = async (capacity = 5) => {
      const views = await suite.open({ capacity, lanes: LANES })
      opened.push(views)
      return views
    }
    const insert = (views: Views, owner: number, ...ids: number[]) =>
      views.insert(ids.map((id) => ({ ...entry(id), owners: Uint32Array.of(owner) })))
    const openOne = async (views: Views, owner: number) => (await views.open([owner]))[0]
    afterEach(async () => {
      for (const views of opened.splice(0)) await views.close()
    })

    headers(openViews, openOne, insert)
    lanes(openViews, openOne)
    entries(suite, openViews, openOne, insert)
    floors(openViews, openOne, insert)

    it('agrees with the naive model on random commands', async () => {
      await fc.assert(
        fc.asyncProperty(scenario, async ({ capacity, commands }) => {
          const views = await suite.open({ capacity, lanes: LANES })
          const model = new Model(views)
          for (const command of commands) await model.apply(command)
          await model.compareAll()
          await views.close()
        }),
        { numRuns: suite.runs ?? 300 },
      )
    })
  })
}

type OpenViews = (capacity?: number) => Promise<Views>
type OpenOne = (views: Views, owner: number) => Promise<number>
type Insert = (views: Views, owner: number, ...ids: number[]) => Promise<unknown>

function headers(openViews: OpenViews, openOne: OpenOne, insert: Insert): void {
  it('gives undefined for a timeline without a header, and inserts nothing into it', async () => {
    const views = await openViews()
    const counts = await views.insert([{ ...entry(9), owners: Uint32Array.of(1, 2) }])
    expect(counts).toEqual({ inserted: 0, absent: 2 })
    expect(await views.range(1, ID_MAX, 10)).toBeUndefined()
    expect(await views.merge(1, 1, entriesOf(3))).toBe(false)
    expect(await views.settle(1, 1, 0)).toBe(false)
    await openOne(views, 1)
    expect(idsOf(await views.range(1, ID_MAX, 10))).toEqual([])
  })

  it('gives one epoch an owner, above 0, in the order of the owners', async () => {
    const views = await openViews()
    const epochs = await views.open([7, 5, 6])
    for (const [i, owner] of [7, 5, 6].entries()) {
      expect(epochs[i]).toBeGreaterThan(0)
      expect((await views.range(owner, ID_MAX, 1))?.header.epoch).toBe(epochs[i])
    }
  })

  it('opens again with a new epoch, without entries, floor at infinity; the old epoch is dead', async () => {
    const views = await openViews()
    const first = await openOne(views, 1)
    await insert(views, 1, 3, 4)
    await views.settle(1, first, 2)
    const second = await openOne(views, 1)
    expect(second).not.toBe(first)
    const page = await views.range(1, ID_MAX, 10)
    expect(page?.header).toMatchObject({ epoch: second, floor: Infinity })
    expect(idsOf(page)).toEqual([])
    expect(await views.merge(1, first, entriesOf(5))).toBe(false)
    expect(await views.settle(1, first, 1)).toBe(false)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(Infinity)
  })

  it('never repeats an epoch of an owner, not after eviction either', async () => {
    const views = await openViews()
    const epochs = new Set<number>()
    for (let round = 0; round < 20; round++) {
      epochs.add(await openOne(views, 1))
      await views.evict(Uint32Array.of(1, 2))
      expect(await views.range(1, ID_MAX, 10)).toBeUndefined()
    }
    expect(epochs.size).toBe(20)
  })

  it('counts timelines', async () => {
    const views = await openViews()
    await views.open([1, 2, 3, 2])
    await views.evict([2, 9])
    expect(await views.adopt(byLane([0, 0]))).toBe(true)
    expect(views.stats()?.timelines ?? 2).toBe(2)
  })
}

const byLane = (...horizons: [lane: number, id: number][]) => new Map(horizons)
const horizonsOf = async (views: Views, owner: number) => {
  const page = await views.range(owner, ID_MAX, 1)
  return page && Array.from(page.header.horizons)
}

function lanes(openViews: OpenViews, openOne: OpenOne): void {
  it('raises lanes of all timelines and no other, never lowers one, and keeps them over open', async () => {
    const views = await openViews()
    expect(views.lanes).toBe(LANES)
    await views.open([1, 2])
    await views.advance(byLane([0, 50]))
    await views.advance(byLane([0, 40], [2, 70]))
    await views.advance(byLane())
    await openOne(views, 2)
    for (const owner of [1, 2]) expect(await horizonsOf(views, owner)).toEqual([50, 0, 70])
  })

  it('raises what many ask for at once', async () => {
    const views = await openViews()
    await openOne(views, 1)
    const asked = Array.from({ length: 30 }, (_, i) => byLane([i % LANES, 100 + i]))
    await Promise.all(asked.map((horizons) => views.advance(horizons)))
    expect(await horizonsOf(views, 1)).toEqual([127, 128, 129])
  })

  it('adopts what stands high enough in the lanes that are taken over, and gives up the rest', async () => {
    const views = await openViews()
    await views.open([1, 2])
    await views.advance(byLane([0, 50], [1, 20]))
    expect(await views.adopt(byLane([0, 50], [1, 20]))).toBe(true)
    expect(await views.adopt(byLane([0, 10]))).toBe(true)
    expect(await horizonsOf(views, 1)).toEqual([50, 20, 0])
    expect(await views.adopt(byLane([0, 50], [1, 21]))).toBe(false)
    for (const owner of [1, 2]) expect(await views.range(owner, ID_MAX, 1)).toBeUndefined()
    await openOne(views, 1)
    expect(await horizonsOf(views, 1)).toEqual([50, 21, 0])
    await views.advance(byLane([1, 30], [2, 10]))
    expect(await horizonsOf(views, 1)).toEqual([50, 30, 10])
  })

  it('gives up all for ID_MAX, which is no horizon', async () => {
    const views = await openViews()
    await openOne(views, 1)
    await views.advance(byLane([0, 50]))
    expect(await views.adopt(byLane([0, ID_MAX], [1, ID_MAX], [2, ID_MAX]))).toBe(false)
    expect(await views.range(1, ID_MAX, 1)).toBeUndefined()
    await openOne(views, 1)
    expect(await horizonsOf(views, 1)).toEqual([50, 0, 0])
    await views.advance(byLane([0, 60], [1, 10]))
    expect(await horizonsOf(views, 1)).toEqual([60, 10, 0])
  })
}

function entries(suite: ViewsSuite, openViews: OpenViews, openOne: OpenOne, insert: Insert): void {
  it('keeps the order of ids whatever the order of insertion, and ignores what it has', async () => {
    const views = await openViews()
    await openOne(views, 1)
    await insert(views, 1, 20, 40, 10, 30, 20, 40)
    const counts = await views.insert([{ ...entry(30), owners: Uint32Array.of(1, 1) }])
    expect(counts).toEqual({ inserted: suite.countsRepeats === true ? 2 : 0, absent: 0 })
    expect(idsOf(await views.range(1, ID_MAX, 10))).toEqual([40, 30, 20, 10])
  })

  it('counts what is new', async () => {
    const views = await openViews()
    await views.open([1, 2])
    const owners = Uint32Array.of(1, 2, 3, 2)
    expect(
      await views.insert([
        { ...entry(5), owners },
        { ...entry(6), owners },
      ]),
    ).toEqual({ inserted: suite.countsRepeats === true ? 6 : 4, absent: 2 })
  })

  it('is exact over the whole range of ids, authors and kinds', async () => {
    const views = await openViews(10)
    const epoch = await openOne(views, 4_294_967_295)
    const all = [
      { id: ID_MAX, author: 4_294_967_295, kind: 2_047 },
      { id: 2 ** 52 + 1, author: 0, kind: 1 },
      { id: 2 ** 32, author: 2_147_483_648, kind: 1_024 },
      { id: 2 ** 32 - 1, author: 1, kind: 0 },
      { id: 2 ** 31, author: 2, kind: 2_047 },
      { id: 1, author: 3, kind: 5 },
    ]
    await views.insert(all.slice(0, 3).map((one) => ({ ...one, owners: Uint32Array.of(4_294_967_295) })))
    await views.merge(4_294_967_295, epoch, toEntries(all.slice(3)))
    const page = await views.range(4_294_967_295, Infinity, 10)
    expect(fromEntries(page!.entries)).toEqual(all)
  })

  it('reads below an id, at most as many as asked for', async () => {
    const views = await openViews(100)
    await openOne(views, 1)
    const ids = Array.from({ length: 60 }, (_, i) => (i + 1) * 10)
    await insert(views, 1, ...ids)
    const newest = ids.toReversed()
    expect(idsOf(await views.range(1, 311, 4))).toEqual([310, 300, 290, 280])
    expect(idsOf(await views.range(1, 310, 2))).toEqual([300, 290])
    expect(idsOf(await views.range(1, 10, 5))).toEqual([])
    expect(idsOf(await views.range(1, ID_MAX, 0))).toEqual([])
    for (let below = 5; below < 620; below += 35) {
      expect(idsOf(await views.range(1, below, 1_000))).toEqual(newest.filter((id) => id < below))
    }
  })

  it('gives pages that are right when many are awaited at once', async () => {
    const views = await openViews(50)
    const owners = Array.from({ length: 40 }, (_, owner) => owner)
    await views.open(owners)
    for (const owner of owners) await insert(views, owner, owner + 1, owner + 100)
    const pages = await Promise.all(owners.map((owner) => views.range(owner, ID_MAX, 10)))
    expect(pages.map(idsOf)).toEqual(owners.map((owner) => [owner + 100, owner + 1]))
  })

  it('merges many entries with those that came meanwhile', async () => {
    const views = await openViews(8)
    const epoch = await openOne(views, 1)
    await insert(views, 1, 50, 30, 70)
    expect(await views.merge(1, epoch, entriesOf(60, 50, 20))).toBe(true)
    expect(await views.merge(1, epoch, entriesOf())).toBe(true)
    expect(idsOf(await views.range(1, ID_MAX, 10))).toEqual([70, 60, 50, 30, 20])
  })
}

function floors(openViews: OpenViews, openOne: OpenOne, insert: Insert): void {
  it('keeps what is inserted before settle, and has its floor at infinity until then', async () => {
    const views = await openViews()
    const epoch = await openOne(views, 1)
    await insert(views, 1, 7)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(Infinity)
    expect(await views.settle(1, epoch, 3)).toBe(true)
    const page = await views.range(1, ID_MAX, 10)
    expect(page?.header.floor).toBe(3)
    expect(idsOf(page)).toEqual([7])
  })

  it('trims the lowest ids and raises the floor to the largest that went', async () => {
    const views = await openViews(3)
    const epoch = await openOne(views, 1)
    await views.settle(1, epoch, 0)
    await insert(views, 1, 10, 20, 30)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(0)
    await insert(views, 1, 40, 25)
    const page = await views.range(1, ID_MAX, 10)
    expect(page?.header.floor).toBe(20)
    expect(idsOf(page)).toEqual([40, 30, 25])
  })

  it('remembers for settle what was trimmed before it, by insert and by merge', async () => {
    const views = await openViews(3)
    for (const byMerge of [false, true]) {
      const epoch = await openOne(views, 1)
      if (byMerge) await views.merge(1, epoch, entriesOf(50, 40, 30, 20, 10))
      else await insert(views, 1, 10, 20, 30, 40, 50)
      await views.settle(1, epoch, 5)
      expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(20)
      expect(idsOf(await views.range(1, ID_MAX, 10))).toEqual([50, 40, 30])
    }
  })

  it('does not raise a floor by what comes below it into a full timeline', async () => {
    const views = await openViews(3)
    const epoch = await openOne(views, 1)
    await views.settle(1, epoch, 9)
    await insert(views, 1, 10, 20, 30, 5)
    const page = await views.range(1, ID_MAX, 10)
    expect(page?.header.floor).toBe(9)
    expect(idsOf(page)).toEqual([30, 20, 10])
  })

  it('raises the floor by an id above it that finds no room', async () => {
    const views = await openViews(3)
    const epoch = await openOne(views, 1)
    await views.settle(1, epoch, 0)
    await insert(views, 1, 10, 20, 30, 5)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(5)
  })

  it('does not lower a floor by merging what is older', async () => {
    const views = await openViews(3)
    const epoch = await openOne(views, 1)
    await views.settle(1, epoch, 0)
    await insert(views, 1, 10, 20, 30, 40, 50)
    for (const ids of [[], [7, 5], [40, 20, 10]]) {
      await views.merge(1, epoch, entriesOf(...ids))
      const page = await views.range(1, ID_MAX, 10)
      expect(page?.header.floor).toBe(20)
      expect(idsOf(page)).toEqual([50, 40, 30])
    }
    await insert(views, 1, 15)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(20)
  })

  it('settles again only downwards, and never below what was trimmed', async () => {
    const views = await openViews(3)
    const epoch = await openOne(views, 1)
    await insert(views, 1, 10, 20, 30, 40)
    await views.settle(1, epoch, 15)
    await views.settle(1, epoch, 18)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(15)
    await views.settle(1, epoch, 2)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(10)
  })
}
