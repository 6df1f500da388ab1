/** Events that other processes project reach the caches of this one in order, once their rows are stored. */

import { expect, test } from 'vitest'
import { struct, u32 } from '../../../src/core/codec.ts'
import {
  defineEvent,
  defineNotice,
  encodeEvent,
  eventDecoder,
  type Event,
} from '../../../src/engine/events.ts'
import { createFollower } from '../../../src/engine/processes/follower.ts'
import { progressed, type LaneProgress } from '../../../src/engine/processes/progress.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'

const happened = defineEvent(1, 'happened', struct({ n: u32 }))
const noticed = defineNotice(2, 'noticed', struct({ n: u32 }))
/** Of another domain. */
const flooded = defineEvent(3, 'flooded', struct({ n: u32 }))
/** An engine's record that this version does not know. */
const newer = defineEvent(254, 'newer', struct({ n: u32 }))
/** No cache needs it. */
const passing = defineEvent(4, 'passing', struct({ n: u32 }))

async function createWorld() {
  const env = createRealEnv()
  const log = createMemoryLog({ env, partitions: 1 })
  const applied: number[] = []
  const told: LaneProgress[] = []
  const state = { forgotten: 0, domains: [] as unknown[] }
  const follower = createFollower({
    follower: await log.follow(),
    epoch: 1,
    decode: eventDecoder([happened, noticed, flooded, passing, progressed]),
    onRead: () => undefined,
    apply: (_partition, events) =>
      void applied.push(...events.map(({ body }: Event) => (body as { n: number }).n)),
    onProgress: (progress) => void told.push(progress),
    onTime: () => undefined,
    onSkipped: () => undefined,
    recall: () => Promise.resolve(),
    forget: async (domains) => {
      state.forgotten++
      state.domains.push(domains === 'all' ? domains : [...domains])
    },
    domainOf: (type) => (type === flooded ? 'flood' : 'other'),
    isNeeded: (type) => type !== passing,
    onFatal: (error) => {
      throw error
    },
  })
  await follower.follow(0, 0)
  follower.start()
  const append = async (value: Uint8Array): Promise<number> => (await log.append([{ key: 0, value }]))[0]
  return {
    follower,
    applied,
    told,
    state,
    append,
    happen: (n: number) => append(encodeEvent(happened, n, 0, { n })),
    flood: (n: number) => append(encodeEvent(flooded, n, 0, { n })),
    pass: (n: number) => append(encodeEvent(passing, n, 0, { n })),
    notice: (n: number) => append(encodeEvent(noticed, n, 0, { n })),
    progress: (projected: number) =>
      append(
        encodeEvent(progressed, 0, 0, {
          lanes: [{ partition: 0, projected, horizon: 7, needs: 0, skipped: [] }],
          now: 0,
          horizons: [],
          decisions: [],
        }),
      ),
    async quiet() {
      for (let turns = 0; turns < 50; turns++) await env.yield()
    },
  }
}

test('an event is applied once its owner has told progress, a notice at once', async () => {
  const { happen, notice, progress, applied, told, quiet, follower } = await createWorld()
  const first = await happen(1)
  const second = await happen(2)
  await notice(3)
  await quiet()
  expect(applied).toEqual([3])
  await progress(second)
  await quiet()
  expect(applied).toEqual([3, 1])
  expect(told).toMatchObject([{ horizon: 7 }])
  expect(follower.hasApplied(0, first + 1)).toBe(true)
  expect(follower.hasApplied(0, second + 1)).toBe(false)
  expect(follower.lagEvents()).toBe(1)
  await progress(second + 1)
  await quiet()
  expect(applied).toEqual([3, 1, 2])
  expect(follower.lagEvents()).toBe(0)
  await follower.stop()
})

test('no event of a partition is applied after the follower has left it', async () => {
  const { happen, progress, applied, quiet, follower } = await createWorld()
  const position = await happen(1)
  await quiet()
  follower.leave(0)
  await progress(position + 1)
  await quiet()
  expect(applied).toEqual([])
  await follower.follow(0, 0)
  await quiet()
  expect(applied).toEqual([1])
  await follower.stop()
})

test('beyond a bound, waiting events are dropped, and caches are read again once the owner has passed them', async () => {
  const { happen, progress, applied, told, state, quiet, follower } = await createWorld()
  let last = 0
  for (let n = 0; n < 50_100; n += 100) {
    const positions = await Promise.all(Array.from({ length: 100 }, (_, i) => happen(n + i)))
    last = positions[99]
  }
  await quiet()
  expect(follower.lagEvents()).toBeGreaterThan(50_000)
  await progress(10)
  await quiet()
  expect(state.forgotten).toBe(0)
  expect(told).toEqual([])
  await progress(last + 1)
  await quiet()
  expect(state.forgotten).toBe(1)
  expect(told).toHaveLength(1)
  expect(applied.length).toBeLessThan(50_100)
  expect(follower.hasApplied(0, last + 1)).toBe(true)
  await follower.stop()
})

test('after a record of a newer version, nothing is applied until its owner is past it, and caches are read again', async () => {
  const { happen, progress, applied, state, quiet, follower, append } = await createWorld()
  const first = await happen(1)
  const unknown = await append(encodeEvent(newer, 0, 0, { n: 0 }))
  await progress(first + 1)
  await quiet()
  expect(applied).toEqual([])
  expect(follower.hasApplied(0, first + 1)).toBe(false)
  const second = await happen(2)
  await progress(unknown + 1)
  await quiet()
  expect(state.forgotten).toBe(1)
  await progress(second + 1)
  await quiet()
  expect(applied).toEqual([1, 2])
  expect(follower.hasApplied(0, second + 1)).toBe(true)
  await follower.stop()
})

test('the flood of one domain lets go of its own events: caches of the others are not read again', async () => {
  const { happen, flood, progress, applied, state, quiet, follower } = await createWorld()
  await happen(1)
  let last = 0
  for (let n = 0; n < 50_100; n += 100) {
    const positions = await Promise.all(Array.from({ length: 100 }, (_, i) => flood(1_000 + n + i)))
    last = positions[99]
  }
  const own = await happen(2)
  await quiet()
  expect(follower.lagEvents('other')).toBe(2)
  // Behind what was let go: an event of another domain is not lost by it.
  await progress(10)
  await quiet()
  await progress(last + 1)
  await progress(own + 1)
  await quiet()
  expect(state.domains).toEqual([['flood']])
  expect(applied.filter((n) => n < 1_000)).toEqual([1, 2])
  await follower.stop()
})

test('an event that no cache needs is not held, and its place is waited for all the same', async () => {
  const { pass, progress, applied, quiet, follower } = await createWorld()
  const [first, second] = [await pass(1), await pass(2)]
  await quiet()
  expect(follower.lagEvents()).toBe(0)
  expect(follower.hasApplied(0, second + 1)).toBe(false)
  await progress(first + 1)
  await quiet()
  expect(follower.hasApplied(0, first + 1)).toBe(true)
  expect(follower.hasApplied(0, second + 1)).toBe(false)
  await progress(second + 1)
  await quiet()
  expect(follower.hasApplied(0, second + 1)).toBe(true)
  expect(applied).toEqual([])
  await follower.stop()
})
