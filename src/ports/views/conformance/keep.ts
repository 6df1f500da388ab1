/** Which entries of a ref stand: every one with `keep: 'all'`, the one with the largest id with `keep: 'latest'`. */

import { expect, it } from 'vitest'
import { ID_MAX } from '../../../core/ids.ts'
import { fromEntries, toEntries } from './model.ts'
import { entry, openOne, type Subject } from './subject.ts'
import type { Views } from '../views.ts'

type Item = readonly [id: number, ref: number]

const insert = (views: Views, ...items: Item[]) =>
  views.insert(items.map(([id, ref]) => ({ ...entry(id, ref), owners: Uint32Array.of(1) })))
const merge = (views: Views, epoch: number, ...items: Item[]) =>
  views.merge(1, epoch, toEntries(items.map(([id, ref]) => entry(id, ref))))

/** The floor, and id and ref of each entry. */
async function read(views: Views, below = ID_MAX, limit = 100): Promise<[floor: number, ...Item[]]> {
  const page = await views.range(1, below, limit)
  return [page!.header.floor, ...fromEntries(page!.entries).map(({ id, ref }): Item => [id, ref])]
}

async function openSettled(subject: Subject, capacity: number): Promise<readonly [Views, number]> {
  const views = await subject.open(capacity)
  const epoch = await openOne(views, 1)
  await views.settle(1, epoch, 0)
  return [views, epoch]
}

export function keepingAll(subject: Subject): void {
  it('keeps every id of a ref, and counts each for the capacity', async () => {
    const [views, epoch] = await openSettled(subject, 4)
    await insert(views, [10, 7], [30, 7], [20, 7])
    expect(await read(views)).toEqual([0, [30, 7], [20, 7], [10, 7]])
    await merge(views, epoch, [40, 7], [25, 7])
    expect(await read(views)).toEqual([10, [40, 7], [30, 7], [25, 7], [20, 7]])
  })
}

export function keepingLatest(subject: Subject): void {
  it('keeps of each ref the entry with the largest id, in the order of ids', async () => {
    const [views] = await openSettled(subject, 5)
    await insert(views, [10, 1], [20, 2], [30, 3])
    await insert(views, [40, 1])
    expect(await read(views)).toEqual([0, [40, 1], [30, 3], [20, 2]])
    await insert(views, [35, 2], [50, 3])
    expect(await read(views)).toEqual([0, [50, 3], [40, 1], [35, 2]])
  })

  it('ignores an id at or below the one that stands for its ref', async () => {
    const [views, epoch] = await openSettled(subject, 5)
    await insert(views, [40, 1], [20, 2])
    await insert(views, [40, 1], [39, 1], [1, 2])
    await merge(views, epoch, [40, 1], [30, 1], [20, 2], [19, 2])
    expect(await read(views)).toEqual([0, [40, 1], [20, 2]])
  })

  it('takes refs of the whole u32 range apart, and the same ref under ids of any size together', async () => {
    const [views] = await openSettled(subject, 5)
    const refs = [0, 1, 2 ** 31, 2 ** 32 - 1]
    await insert(views, ...refs.map((ref, n): Item => [n + 1, ref]))
    await insert(views, ...refs.map((ref, n): Item => [2 ** 52 + n, ref]))
    await insert(views, [2 ** 32, 0], [2 ** 31, 2 ** 31])
    expect(await read(views)).toEqual([0, ...refs.map((ref, n): Item => [2 ** 52 + n, ref]).toReversed()])
  })

  it('never shows an entry that was replaced, not below the one that stands either', async () => {
    const [views] = await openSettled(subject, 5)
    await insert(views, [10, 1], [20, 2], [30, 1], [40, 2], [50, 1])
    expect(await read(views, 50)).toEqual([0, [40, 2]])
    expect(await read(views, 40)).toEqual([0])
    expect(await read(views, ID_MAX, 1)).toEqual([0, [50, 1]])
  })

  it('takes by merge the newest entry of each ref, from what it has and from what comes', async () => {
    const [views, epoch] = await openSettled(subject, 5)
    await insert(views, [30, 1], [60, 2], [10, 3])
    expect(await merge(views, epoch, [70, 4], [50, 1], [45, 4], [40, 2], [20, 3], [15, 1])).toBe(true)
    expect(await read(views)).toEqual([0, [70, 4], [60, 2], [50, 1], [20, 3]])
    await insert(views, [80, 3])
    expect(await read(views)).toEqual([0, [80, 3], [70, 4], [60, 2], [50, 1]])
  })

  it('forgets the refs of a timeline that is opened again or evicted', async () => {
    const [views] = await openSettled(subject, 5)
    await insert(views, [50, 1])
    await openOne(views, 1)
    await insert(views, [40, 1])
    expect(await read(views)).toEqual([Infinity, [40, 1]])
    await views.evict([1])
    await openOne(views, 1)
    await insert(views, [30, 1])
    expect(await read(views)).toEqual([Infinity, [30, 1]])
  })
}

export function trimmingLatest(subject: Subject): void {
  it('counts refs for the capacity: replacing never raises the floor', async () => {
    const [views, epoch] = await openSettled(subject, 3)
    for (let id = 1; id <= 300; id++) await insert(views, [id, id % 3])
    expect(await read(views)).toEqual([0, [300, 0], [299, 2], [298, 1]])
    await merge(views, epoch, [303, 0], [302, 2], [301, 1], [200, 2], [100, 1])
    expect(await read(views)).toEqual([0, [303, 0], [302, 2], [301, 1]])
  })

  it('trims the lowest id for a further ref, and raises the floor to it', async () => {
    const [views, epoch] = await openSettled(subject, 3)
    await insert(views, [10, 1], [20, 2], [30, 3], [40, 1])
    expect(await read(views)).toEqual([0, [40, 1], [30, 3], [20, 2]])
    await insert(views, [50, 4])
    expect(await read(views)).toEqual([20, [50, 4], [40, 1], [30, 3]])
    await merge(views, epoch, [60, 5], [45, 3])
    expect(await read(views)).toEqual([40, [60, 5], [50, 4], [45, 3]])
  })

  it('takes a ref that was trimmed again with a larger id, and raises the floor by one that finds no room', async () => {
    const [views] = await openSettled(subject, 2)
    await insert(views, [10, 1], [20, 2], [30, 3])
    expect(await read(views)).toEqual([10, [30, 3], [20, 2]])
    await insert(views, [15, 1])
    expect(await read(views)).toEqual([15, [30, 3], [20, 2]])
    await insert(views, [40, 1])
    expect(await read(views)).toEqual([20, [40, 1], [30, 3]])
  })

  it('does not raise the floor by an old id of a ref that stands', async () => {
    const [views, epoch] = await openSettled(subject, 2)
    await insert(views, [50, 1], [60, 2], [40, 1], [30, 2])
    await merge(views, epoch, [20, 1], [10, 2])
    expect(await read(views)).toEqual([0, [60, 2], [50, 1]])
  })
}

export function outcomesOfLatest(subject: Subject): void {
  it('has the same entries and floor whatever the order of insertion', async () => {
    const items: Item[] = [
      [10, 1],
      [20, 2],
      [30, 3],
      [40, 1],
      [50, 4],
    ]
    for (const order of permutationsOf(items)) {
      const [views, epoch] = await openSettled(subject, 3)
      await insert(views, ...order.slice(0, 3))
      for (const item of order.slice(3)) await merge(views, epoch, item)
      expect(await read(views), JSON.stringify(order)).toEqual([20, [50, 4], [40, 1], [30, 3]])
      await views.close()
    }
  })

  it('remembers for settle what was trimmed, and not what was replaced', async () => {
    const views = await subject.open(2)
    const epoch = await openOne(views, 1)
    await insert(views, [10, 1], [20, 2], [30, 1], [40, 2])
    expect(await read(views)).toEqual([Infinity, [40, 2], [30, 1]])
    await insert(views, [25, 3])
    await views.settle(1, epoch, 5)
    expect(await read(views)).toEqual([25, [40, 2], [30, 1]])
  })

  it('holds its capacity of refs however often each is replaced', async () => {
    const [views] = await openSettled(subject, 40)
    const ids = Array.from({ length: 3_000 }, (_, n) => n + 1)
    for (let at = 0; at < ids.length; at += 20)
      await insert(views, ...ids.slice(at, at + 20).map((id): Item => [id, (id * id) % 61]))
    const latest = new Map(ids.map((id) => [(id * id) % 61, id]))
    const standing = Array.from(latest, ([ref, id]): Item => [id, ref]).sort((a, b) => b[0] - a[0])
    expect(standing.length).toBe(31)
    expect(await read(views)).toEqual([0, ...standing])
    await insert(views, ...Array.from({ length: 12 }, (_, n): Item => [4_000 + n, 100 + n]))
    const [floor, ...shown] = await read(views)
    expect([floor, shown.length]).toEqual([standing.at(-3)![0], 40])
  })
}

function permutationsOf<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]]
  return items.flatMap((item, at) => permutationsOf(items.toSpliced(at, 1)).map((rest) => [item, ...rest]))
}
