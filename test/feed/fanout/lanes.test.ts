/** The lanes of a large fan-out serve everybody between them, even followers who are seen while it runs. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { holdsFriend, selectLane } from '../../../src/feed/fanout/lanes.ts'
import type { Plan } from '../../../src/engine/fanout/tables.ts'
import { CLOSE_LANE, LANES, REST_LANE, type Minutes } from '../../../src/feed/tables.ts'
import type { Activity, Circle } from '../../../src/graph/index.ts'

const ACTIVE_FROM = 100
const INACTIVE_BEFORE = 50
const BEGUN = 200

const reader = fc.record({
  number: fc.integer({ min: 1, max: 5_000 }),
  /** Minute last seen: 0 for nothing known. */
  minute: fc.constantFrom(0, 10, INACTIVE_BEFORE, 70, ACTIVE_FROM, 150, BEGUN),
  isFriend: fc.boolean(),
  /** Seen before this lane runs. */
  seenBefore: fc.constantFrom(undefined, 0, 1, 2),
})

const minutesOnly = (minutes: ReadonlyMap<number, number>) =>
  ({ minuteOf: (number: number) => minutes.get(number) ?? 0 }) as Activity

test('every follower is served or inactive; one who is not seen meanwhile is served once', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(reader, { selector: ({ number }) => number, maxLength: 40 }),
      fc.boolean(),
      (readers, resumed) => {
        const numbers = Uint32Array.from(readers, ({ number }) => number).sort()
        const minutes = new Map(readers.map(({ number, minute }) => [number, minute]))
        const following = numbers.filter((number) => readers.find((r) => r.number === number)!.isFriend)
        const bounds = [0, 1_000, 2_500, 2 ** 32]
        const chunks = bounds.slice(1).map((to, i) => ({ bucket: 0, from: bounds[i], to }))
        const plan = {
          key: 9,
          share: 8,
          chunks,
          frozen: { activeFromMinute: ACTIVE_FROM, inactiveBeforeMinute: INACTIVE_BEFORE },
        } as unknown as Plan<Minutes>
        const friends = { following } as Circle
        const ofPlan = { plan, friends, resumed, begunMinute: BEGUN }
        const served = new Map<number, number>()
        const evicted = new Set<number>()
        for (let lane = 0; lane < LANES.length; lane++) {
          for (const { number, seenBefore } of readers) if (seenBefore === lane) minutes.set(number, BEGUN)
          for (const chunk of chunks) {
            const { from, to } = chunk
            if (lane === CLOSE_LANE && !holdsFriend(friends, chunk)) continue
            const inChunk = numbers.filter((number) => number >= from && number < to)
            const { owners, skipped, reached } = selectLane(minutesOnly(minutes), ofPlan, lane, inChunk)
            for (const owner of owners) served.set(owner, (served.get(owner) ?? 0) + 1)
            for (const owner of skipped) evicted.add(owner)
            if (lane === REST_LANE) expect(reached + skipped.length).toBe(inChunk.length)
          }
        }
        for (const { number, minute, seenBefore } of readers) {
          expect(served.has(number) || evicted.has(number)).toBe(true)
          if (seenBefore === undefined && !resumed && minute < BEGUN && !evicted.has(number))
            expect(served.get(number)).toBe(1)
        }
      },
    ),
    { seed: 20_261_121, numRuns: 2_000 },
  )
})
