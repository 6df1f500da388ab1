/** Lanes by what a domain knows of members serve everybody below the share, once unless a member moves. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event } from '../../../src/engine/events.ts'
import { everybody, lanesBy, MOVED, newCounts } from '../../../src/engine/fanout/lanes.ts'
import { edgeBucket, SHARES } from '../../../src/engine/fanout/policy.ts'
import type { Plan } from '../../../src/engine/fanout/tables.ts'

const NAMES = ['first', 'second', 'rest']
const KEY = 5_000_000_000_001

const member = fc.record({
  number: fc.integer({ min: 1, max: 5_000 }),
  lane: fc.nat(NAMES.length - 1),
  /** Before this lane runs, the member is found to have moved. */
  movesBefore: fc.constantFrom(undefined, 0, 1, 2),
})

test('every member below the share is served, and one who does not move once only', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(member, { selector: ({ number }) => number, maxLength: 40 }),
      fc.integer({ min: 1, max: SHARES }),
      fc.boolean(),
      async (all, share, resumed) => {
        const numbers = Uint32Array.from(all, ({ number }) => number)
        const lanes = new Map(all.map(({ number, lane }) => [number, lane]))
        const within = all.filter(({ number }) => edgeBucket(number, KEY) < share)
        const own = lanesBy({
          names: NAMES,
          freeze: () => 9,
          laneOf(members, frozen) {
            expect(frozen).toBe(9)
            return Uint8Array.from(members, (number) => lanes.get(number) as number)
          },
        })
        const counts = newCounts(NAMES)
        const event = { key: KEY } as Event
        expect([...own.pick({ event, parts: [], share }, counts, [])(numbers)]).toEqual(
          within.map(({ number }) => number),
        )
        expect(counts.lanes).toEqual(NAMES.map((_, lane) => within.filter((one) => one.lane === lane).length))

        const selection = await own.begin({ key: KEY, share, frozen: 9 } as Plan<number>, resumed)
        const served = new Map<number, number>()
        for (let lane = 0; lane < NAMES.length; lane++) {
          for (const { number, movesBefore } of all) if (movesBefore === lane) lanes.set(number, MOVED)
          const { owners, reached } = selection.select(lane, numbers)
          for (const number of owners) served.set(number, (served.get(number) ?? 0) + 1)
          if (lane === NAMES.length - 1) expect(reached).toBe(within.length)
        }
        expect([...served.keys()].sort()).toEqual(within.map(({ number }) => number).sort())
        for (const { number, movesBefore } of within)
          if (movesBefore === undefined && !resumed) expect(served.get(number)).toBe(1)
      },
    ),
    { seed: 20_261_129, numRuns: 500 },
  )
})

test('a fan-out without an order has one lane', async () => {
  const lanes = everybody()
  expect(lanes.names).toEqual(['all'])
  const selection = await lanes.begin({ key: KEY, share: SHARES } as Plan<undefined>, false)
  const { owners, reached } = selection.select(0, Uint32Array.of(3, 5))
  expect([...owners]).toEqual([3, 5])
  expect(reached).toBe(2)
})
