/** What a page says of itself. */

import { expect, test } from 'vitest'
import { idFloorAt, TICK_MS } from '../../src/core/ids.ts'
import { feedRest } from '../../src/feed/render.ts'

const SECOND_MS = Date.UTC(2026, 0, 1, 12)
const page = {
  items: [],
  nextCursor: undefined,
  after: '',
  hasMore: false,
  complete: true,
  gap: false,
  failedSources: [],
}
type Rest = Parameters<typeof feedRest>[0]
const asOfMs = (horizon: number): number =>
  Date.parse(/"as_of":"([^"]+)"/.exec(feedRest({ ...page, horizon } as unknown as Rest))?.[1] ?? '')

test('a page is as of the last moment of which nothing is to come', () => {
  const post = idFloorAt(SECOND_MS) + 300
  // The post at the full second is still on its way: a page without it may not name that second.
  expect(asOfMs(post - 1)).toBeLessThan(SECOND_MS)
  expect(asOfMs(idFloorAt(SECOND_MS))).toBeLessThan(SECOND_MS)
  expect(asOfMs(idFloorAt(SECOND_MS + TICK_MS))).toBe(SECOND_MS)
})
