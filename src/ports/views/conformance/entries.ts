/** Entries: what `insert` and `merge` take, and the pages that `range` gives. */

import { expect, it } from 'vitest'
import { ID_MAX } from '../../../core/ids.ts'
import { fromEntries, toEntries } from './model.ts'
import { entriesOf, entry, idsOf, insert, openOne, type Subject } from './subject.ts'

export function entries(subject: Subject, countsRepeats: boolean): void {
  it('keeps the order of ids whatever the order of insertion, and ignores what it has', async () => {
    const views = await subject.open()
    await openOne(views, 1)
    await insert(views, 1, 20, 40, 10, 30, 20, 40)
    const counts = await views.insert([{ ...entry(30), owners: Uint32Array.of(1, 1) }])
    expect(counts).toEqual({ inserted: countsRepeats ? 2 : 0, absent: 0 })
    expect(idsOf(await views.range(1, ID_MAX, 10))).toEqual([40, 30, 20, 10])
  })

  it('counts what is new', async () => {
    const views = await subject.open()
    await views.open([1, 2])
    const owners = Uint32Array.of(1, 2, 3, 2)
    expect(
      await views.insert([
        { ...entry(5), owners },
        { ...entry(6), owners },
      ]),
    ).toEqual({ inserted: countsRepeats ? 6 : 4, absent: 2 })
  })

  it('is exact over the whole range of ids, refs and kinds', async () => {
    const views = await subject.open(10)
    const epoch = await openOne(views, 4_294_967_295)
    const all = [
      { id: ID_MAX, ref: 4_294_967_295, kind: 2_047 },
      { id: 2 ** 52 + 1, ref: 0, kind: 1 },
      { id: 2 ** 32, ref: 2_147_483_648, kind: 1_024 },
      { id: 2 ** 32 - 1, ref: 1, kind: 0 },
      { id: 2 ** 31, ref: 2, kind: 2_047 },
      { id: 1, ref: 3, kind: 5 },
    ]
    await views.insert(all.slice(0, 3).map((one) => ({ ...one, owners: Uint32Array.of(4_294_967_295) })))
    await views.merge(4_294_967_295, epoch, toEntries(all.slice(3)))
    const page = await views.range(4_294_967_295, Infinity, 10)
    expect(fromEntries(page!.entries)).toEqual(all)
  })

  it('merges many entries with those that came meanwhile', async () => {
    const views = await subject.open(8)
    const epoch = await openOne(views, 1)
    await insert(views, 1, 50, 30, 70)
    expect(await views.merge(1, epoch, entriesOf(60, 50, 20))).toBe(true)
    expect(await views.merge(1, epoch, entriesOf())).toBe(true)
    expect(idsOf(await views.range(1, ID_MAX, 10))).toEqual([70, 60, 50, 30, 20])
  })
}

export function pages(subject: Subject): void {
  it('reads below an id, at most as many as asked for', async () => {
    const views = await subject.open(100)
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
    const views = await subject.open(50)
    const owners = Array.from({ length: 40 }, (_, owner) => owner)
    await views.open(owners)
    for (const owner of owners) await insert(views, owner, owner + 1, owner + 100)
    const pages = await Promise.all(owners.map((owner) => views.range(owner, ID_MAX, 10)))
    expect(pages.map(idsOf)).toEqual(owners.map((owner) => [owner + 100, owner + 1]))
  })
}
