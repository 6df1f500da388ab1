/** Headers: epochs, opening again, eviction. */

import { expect, it } from 'vitest'
import { ID_MAX } from '../../../core/ids.ts'
import { byLane, entriesOf, entry, idsOf, insert, openOne, type Subject } from './subject.ts'

export function headers(subject: Subject): void {
  it('gives undefined for a timeline without a header, and inserts nothing into it', async () => {
    const views = await subject.open()
    const counts = await views.insert([{ ...entry(9), owners: Uint32Array.of(1, 2) }])
    expect(counts).toEqual({ inserted: 0, absent: 2 })
    expect(await views.range(1, ID_MAX, 10)).toBeUndefined()
    expect(await views.merge(1, 1, entriesOf(3))).toBe(false)
    expect(await views.settle(1, 1, 0)).toBe(false)
    await openOne(views, 1)
    expect(idsOf(await views.range(1, ID_MAX, 10))).toEqual([])
  })

  it('gives one epoch an owner, above 0, in the order of the owners', async () => {
    const views = await subject.open()
    const epochs = await views.open([7, 5, 6])
    for (const [i, owner] of [7, 5, 6].entries()) {
      expect(epochs[i]).toBeGreaterThan(0)
      expect((await views.range(owner, ID_MAX, 1))?.header.epoch).toBe(epochs[i])
    }
  })

  it('opens again with a new epoch, without entries, floor at infinity; the old epoch is dead', async () => {
    const views = await subject.open()
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
    const views = await subject.open()
    const epochs = new Set<number>()
    for (let round = 0; round < 20; round++) {
      epochs.add(await openOne(views, 1))
      await views.evict(Uint32Array.of(1, 2))
      expect(await views.range(1, ID_MAX, 10)).toBeUndefined()
    }
    expect(epochs.size).toBe(20)
  })

  it('counts timelines', async () => {
    const views = await subject.open()
    await views.open([1, 2, 3, 2])
    await views.evict([2, 9])
    expect(await views.adopt(byLane([0, 0]))).toBe(true)
    expect(views.stats()?.timelines ?? 2).toBe(2)
  })
}
