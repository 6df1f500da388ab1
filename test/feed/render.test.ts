/** The `as_of` of a page. */

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

test('`as_of` names the last second that is complete', () => {
  const post = idFloorAt(SECOND_MS) + 300
  // The post at the full second is still being fanned out: a page without it must not claim that second.
  expect(asOfMs(post - 1)).toBeLessThan(SECOND_MS)
  expect(asOfMs(idFloorAt(SECOND_MS))).toBeLessThan(SECOND_MS)
  expect(asOfMs(idFloorAt(SECOND_MS + TICK_MS))).toBe(SECOND_MS)
})
