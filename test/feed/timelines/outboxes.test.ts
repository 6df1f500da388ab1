/** Outboxes in memory: they are counted by their size and stay within their bound while authors post. */

import { expect, test } from 'vitest'
import { createOutboxes } from '../../../src/feed/timelines/outboxes.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'

const ENTRIES_MAX = 100_000
const open = () => createOutboxes(createMemoryStore({ env: createRealEnv() }), ENTRIES_MAX)
const requestsOf = (authors: readonly number[]) =>
  authors.map((author) => ({ author, below: Infinity, limit: 10 }))

test('a read counts each outbox once: found in memory, or read from the store', async () => {
  const outboxes = open()
  await outboxes.read(requestsOf([1]))
  expect(outboxes.stats).toEqual({ hits: 0, loads: 1 })
  await outboxes.read(requestsOf([1, 2]))
  expect(outboxes.stats).toEqual({ hits: 1, loads: 2 })
  await outboxes.read(requestsOf([1, 2]))
  expect(outboxes.stats).toEqual({ hits: 3, loads: 2 })
})

test('outboxes that grow evict others', async () => {
  const outboxes = open()
  const authors = Array.from({ length: 1_000 }, (_, i) => i + 1)
  await outboxes.read(requestsOf(authors))
  expect(outboxes.missing(authors, Infinity)).toBe(0)
  for (let n = 1; n <= 500; n++) for (const author of authors) outboxes.posted(author, n * 65_536, 0)
  const kept = authors.length - outboxes.missing(authors, Infinity)
  expect(kept).toBeLessThanOrEqual(ENTRIES_MAX / 500)
  expect(kept).toBeGreaterThan(ENTRIES_MAX / 600)
})

test('posting does not count as being read: the author is still evicted first', async () => {
  const outboxes = open()
  const read = await outboxes.read([{ author: 1, below: Infinity, limit: 10 }])
  expect(read).toHaveLength(1)
  // An author without posts is counted as 16 entries.
  const others = Array.from({ length: ENTRIES_MAX / 16 }, (_, i) => i + 2)
  for (let from = 0; from < others.length; from += 1_000) {
    outboxes.posted(1, (from + 1) * 65_536, 0)
    await outboxes.read(requestsOf(others.slice(from, from + 1_000)))
  }
  expect(outboxes.missing([1], Infinity)).toBe(1)
})
