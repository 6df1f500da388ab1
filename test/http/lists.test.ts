/** Cursors of lists that clients hold stay valid, and no two lists share a number. */

import { expect, it } from 'vitest'
import { createCursorSeal } from '../../src/core/cursor.ts'
import { LISTS as FEED_LISTS } from '../../src/feed/lists.ts'
import { LISTS as GRAPH_LISTS } from '../../src/graph/lists.ts'
import { openList, sealList } from '../../src/http/list-cursors.ts'

const seal = createCursorSeal(new Uint8Array(32).fill(5))

it('every list has a number of its own, which never changes', () => {
  expect({ ...FEED_LISTS, ...GRAPH_LISTS }).toEqual({
    ...{ home: 1, profile: 2, followers: 3, following: 4 },
    ...{ likes: 5, reposts: 6, repliesLatest: 7, repliesOldest: 8 },
    ...{ mutes: 9, blocks: 10 },
  })
  const numbers = [...Object.values(FEED_LISTS), ...Object.values(GRAPH_LISTS)]
  expect(new Set(numbers).size).toBe(numbers.length)
})

it('cursors that were given out before are opened', () => {
  const bound = { list: GRAPH_LISTS.followers, reader: 7, subject: 9 }
  const text = sealList(seal, { ...bound, position: 123_456_789 })
  expect(text).toBe(BEFORE)
  expect(openList(seal, bound, BEFORE)).toBe(123_456_789)
  for (const other of [{ list: GRAPH_LISTS.following }, { reader: 8 }, { subject: 8 }])
    expect(() => openList(seal, { ...bound, ...other }, BEFORE)).toThrow('cursor')
})

/** Sealed by an earlier version. */
const BEFORE = 'AwcAAAAJAAAAAAAAVDRvnUEAA_eWWeoGse5Re8Be'
