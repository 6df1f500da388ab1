/** How many outboxes are read at a time when many pages are asked for at once, and which pages wait. */

import { expect, test } from 'vitest'
import { createPace } from '../../../src/engine/read/pace.ts'
import type { OutboxRequest, Outboxes, OutboxSlice } from '../../../src/feed/timelines/outboxes.ts'
import { createPulls } from '../../../src/feed/timelines/pulls.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'

const env = createRealEnv()

/** Outboxes without any in memory, whose reads end when the test says so. */
function start() {
  const reads: { readonly authors: number; readonly done: () => void }[] = []
  const outboxes: Outboxes = {
    stats: { hits: 0, loads: 0 },
    missing: ({ length }) => length,
    read: (requests: readonly OutboxRequest[]) =>
      new Promise<OutboxSlice[]>((resolve) => {
        const done = () => resolve(requests.map(() => ({ ids: [], kinds: [], start: 0, end: 0, lower: 0 })))
        reads.push({ authors: requests.length, done })
      }),
    posted: () => {},
    deleted: () => {},
    clear: () => {},
  }
  const pulls = createPulls(env, createPace(env), outboxes)
  const page = (reader: number, follows: number, isAll: boolean, sinceMs = 0) => {
    const authors = Uint32Array.from({ length: follows }, (_, i) => reader * 1_000 + i)
    const of = { reader, circle: { changeId: 1 }, sinceMs, isCold: true }
    return Promise.resolve(pulls.forPage(of, { authors, below: Infinity, atLeast: 0, limit: 20 }, isAll))
  }
  const turns = async (count = 300) => {
    for (let i = 0; i < count; i++) await env.yield()
  }
  return { reads, pulls, page, turns }
}

const sum = (reads: readonly { authors: number }[]) => reads.reduce((all, { authors }) => all + authors, 0)

test.each([2, 50, 300])(
  'of many readers with %i follows, only so many pull at a time that the store is busy',
  async (follows) => {
    const { reads, pulls, page, turns } = start()
    const pages = Array.from({ length: 1_000 }, (_, i) => page(i + 1, follows, true))
    await turns()
    expect(sum(reads)).toBeLessThanOrEqual(1_000)
    expect(pulls.waiting).toBeGreaterThan(0)
    for (let at = 0; at < pages.length; await turns(10)) while (at < reads.length) reads[at++].done()
    await Promise.all(pages)
    expect(sum(reads)).toBe(1_000 * follows)
    expect(pulls.waiting).toBe(0)
  },
)

test('a page with a timeline does not wait behind pages without one', async () => {
  const { reads, page, turns } = start()
  for (let i = 1; i <= 100; i++) void page(i, 300, true)
  await turns()
  const before = reads.length
  const beside = page(1_000, 3, false, 1)
  await turns()
  expect(reads.slice(before).map(({ authors }) => authors)).toEqual([3])
  reads[before].done()
  expect(await beside).toEqual({ candidates: [], lower: 0 })
})

test('pages with a timeline have a bound of their own', async () => {
  const { reads, page, turns } = start()
  for (let i = 1; i <= 1_000; i++) void page(i, 40, false)
  await turns()
  expect(sum(reads)).toBeLessThanOrEqual(250)
})

test('a page that is asked for again joins its pull while that waits, and not once it has begun', async () => {
  const { reads, page, turns } = start()
  void page(1, 1_000, true)
  void page(2, 300, true)
  void page(2, 300, true)
  await turns()
  reads[0].done()
  await turns()
  expect(reads.map(({ authors }) => authors)).toEqual([1_000, 300])
  void page(2, 300, true)
  await turns()
  expect(reads.map(({ authors }) => authors)).toEqual([1_000, 300, 300])
})
