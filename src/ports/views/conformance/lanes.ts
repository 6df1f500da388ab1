/** Horizons of lanes: `advance` raises them, `adopt` gives up timelines that lack some. */

import { expect, it } from 'vitest'
import { ID_MAX } from '../../../core/ids.ts'
import { LANES } from './model.ts'
import { byLane, openOne, type Subject } from './subject.ts'
import type { Views } from '../views.ts'

const horizonsOf = async (views: Views, owner: number) => {
  const page = await views.range(owner, ID_MAX, 1)
  return page && Array.from(page.header.horizons)
}

export function lanes(subject: Subject): void {
  it('raises lanes of all timelines and no other, never lowers one, and keeps them over open', async () => {
    const views = await subject.open()
    expect(views.lanes).toBe(LANES)
    await views.open([1, 2])
    await views.advance(byLane([0, 50]))
    await views.advance(byLane([0, 40], [2, 70]))
    await views.advance(byLane())
    await openOne(views, 2)
    for (const owner of [1, 2]) expect(await horizonsOf(views, owner)).toEqual([50, 0, 70])
  })

  it('raises what many ask for at once', async () => {
    const views = await subject.open()
    await openOne(views, 1)
    const asked = Array.from({ length: 30 }, (_, i) => byLane([i % LANES, 100 + i]))
    await Promise.all(asked.map((horizons) => views.advance(horizons)))
    expect(await horizonsOf(views, 1)).toEqual([127, 128, 129])
  })

  it('adopts what stands high enough in the lanes that are taken over, and gives up the rest', async () => {
    const views = await subject.open()
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
    const views = await subject.open()
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
