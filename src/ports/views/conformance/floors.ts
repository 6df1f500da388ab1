/** Floors: what a timeline claims to hold, before and after entries are trimmed. */

import { expect, it } from 'vitest'
import { ID_MAX } from '../../../core/ids.ts'
import { entriesOf, idsOf, insert, openOne, type Subject } from './subject.ts'

export function floors(subject: Subject): void {
  it('keeps what is inserted before settle, and has its floor at infinity until then', async () => {
    const views = await subject.open()
    const epoch = await openOne(views, 1)
    await insert(views, 1, 7)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(Infinity)
    expect(await views.settle(1, epoch, 3)).toBe(true)
    const page = await views.range(1, ID_MAX, 10)
    expect(page?.header.floor).toBe(3)
    expect(idsOf(page)).toEqual([7])
  })

  it('settles again only downwards, and never below what was trimmed', async () => {
    const views = await subject.open(3)
    const epoch = await openOne(views, 1)
    await insert(views, 1, 10, 20, 30, 40)
    await views.settle(1, epoch, 15)
    await views.settle(1, epoch, 18)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(15)
    await views.settle(1, epoch, 2)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(10)
  })

  it('does not lower a floor by merging what is older', async () => {
    const views = await subject.open(3)
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
}

export function trimming(subject: Subject): void {
  it('trims the lowest ids and raises the floor to the largest that went', async () => {
    const views = await subject.open(3)
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
    const views = await subject.open(3)
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
    const views = await subject.open(3)
    const epoch = await openOne(views, 1)
    await views.settle(1, epoch, 9)
    await insert(views, 1, 10, 20, 30, 5)
    const page = await views.range(1, ID_MAX, 10)
    expect(page?.header.floor).toBe(9)
    expect(idsOf(page)).toEqual([30, 20, 10])
  })

  it('raises the floor by an id above it that finds no room', async () => {
    const views = await subject.open(3)
    const epoch = await openOne(views, 1)
    await views.settle(1, epoch, 0)
    await insert(views, 1, 10, 20, 30, 5)
    expect((await views.range(1, ID_MAX, 10))?.header.floor).toBe(5)
  })
}
