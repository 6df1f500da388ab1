import { describe, expect, it } from 'vitest'
import { ID_MAX } from '../../../../src/core/ids.ts'
import type { Redis } from '../../../../src/ports/drivers/redis.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { fromEntries, toEntries } from '../../../../src/ports/views/conformance/model.ts'
import { viewsConformance } from '../../../../src/ports/views/conformance.ts'
import { createRedisViews, GROUPS, type RedisViewsOptions } from '../../../../src/ports/views/redis/redis.ts'
import type { ViewPage, Views } from '../../../../src/ports/views/views.ts'
import { freshPrefix, useRedis } from '../../../support/redis.ts'

const env = createRealEnv()
const engines = useRedis()
const openWith = (prefix: string, capacity = 800, lanes = 2, spec: Partial<RedisViewsOptions> = {}) =>
  createRedisViews({ env, redis: engines.redis, prefix, capacity, lanes, ...spec })

for (const spec of [{ keep: 'all' }, { keep: 'latest', name: 'inbox' }] as const) {
  viewsConformance({
    name: 'redis',
    keep: spec.keep,
    open: async ({ capacity, lanes }) => openWith(freshPrefix(), capacity, lanes, spec),
    countsRepeats: true,
    runs: 60,
  })
}

const idsOf = (page: ViewPage | undefined) => page && fromEntries(page.entries).map(({ id }) => id)
const insert = (views: Views, id: number, ...owners: number[]) =>
  views.insert([{ id, ref: id % 1_000, kind: id % 2_048, owners: Uint32Array.from(owners) }])

const lane0 = (id: number) => new Map([[0, id]])
const lane1 = (id: number) => new Map([[1, id]])

/** Owners of the same group, so that both lose their timelines together. */
const [ANN, BOB] = [1, 1 + GROUPS]

async function whole(views: Views, ...owners: number[]): Promise<void> {
  const epochs = await views.open(owners)
  for (const [i, owner] of owners.entries()) await views.settle(owner, epochs[i], 0)
}

/** Takes a group back to an earlier state, as a failover to a replica that is behind does. */
async function snapshot(redis: Redis, prefix: string): Promise<() => Promise<void>> {
  const name = `${prefix}v:{${ANN % GROUPS}}`
  const keysNow = async () => (await redis.send(name, ['KEYS', `${name}*`])) as Buffer[]
  const saved = await Promise.all(
    (await keysNow()).map(async (key) => [key, (await redis.send(name, ['DUMP', key])) as Buffer] as const),
  )
  return async () => {
    for (const key of await keysNow()) await redis.send(name, ['DEL', key])
    for (const [key, dump] of saved) await redis.send(name, ['RESTORE', key, '0', dump])
  }
}

describe('redis views: two clients', () => {
  it('write to the same timelines, each noticed by the other', async () => {
    const prefix = freshPrefix()
    const [one, two] = [openWith(prefix), openWith(prefix)]
    await whole(one, ANN, BOB)
    await insert(one, 10, ANN, BOB)
    await insert(two, 20, ANN)
    await insert(one, 30, ANN)
    expect(idsOf(await two.range(ANN, ID_MAX, 10))).toEqual([30, 20, 10])
    const [epoch] = await two.open([ANN])
    expect(await one.merge(ANN, epoch + 1, toEntries([]))).toBe(false)
    expect(idsOf(await one.range(ANN, ID_MAX, 10))).toEqual([])
    expect(await two.adopt(lane0(0))).toBe(true)
    expect({ ...one.groups, ...two.groups }).toMatchObject({ replays: 0, lost: 0 })
  })
})

describe('redis views: what a failover loses', () => {
  it('is made again while the writer remembers it', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN, BOB)
    await insert(views, 10, ANN, BOB)
    const goBack = await snapshot(engines.redis, prefix)
    await insert(views, 20, ANN)
    await insert(views, 30, ANN, BOB)
    await views.advance(lane0(30))
    await goBack()
    const behind = await views.range(ANN, ID_MAX, 10)
    expect(behind?.header.horizons[0]).toBeLessThan(30)
    await insert(views, 40, BOB)
    const page = await views.range(ANN, ID_MAX, 10)
    expect(idsOf(page)).toEqual([30, 20, 10])
    expect(page?.header.horizons[0]).toBe(30)
    expect(idsOf(await views.range(BOB, ID_MAX, 10))).toEqual([40, 30, 10])
    expect(views.groups).toMatchObject({ replays: 1, lost: 0 })
  })

  it('is noticed by the next horizon, too', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN)
    const goBack = await snapshot(engines.redis, prefix)
    await insert(views, 10, ANN)
    await goBack()
    await views.advance(lane0(20))
    expect(idsOf(await views.range(ANN, ID_MAX, 10))).toEqual([10])
  })

  it('makes the timelines of its group lost when too much has happened since', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN, BOB, 2)
    const goBack = await snapshot(engines.redis, prefix)
    for (let id = 1; id <= 200; id++) await insert(views, id, ANN)
    await goBack()
    await insert(views, 300, ANN, BOB, 2)
    expect(await views.range(ANN, ID_MAX, 10)).toBeUndefined()
    expect(await views.range(BOB, ID_MAX, 10)).toBeUndefined()
    expect(idsOf(await views.range(2, ID_MAX, 10))).toEqual([300])
  })

  it('makes them lost when a timeline was opened since: made empty late, it would lose what came after', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN, BOB)
    const goBack = await snapshot(engines.redis, prefix)
    await views.open([BOB])
    await goBack()
    await insert(views, 10, ANN)
    expect(await views.range(ANN, ID_MAX, 10)).toBeUndefined()
  })

  it('is noticed by the next process, too, which knows how far the last one was', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN, 2)
    await insert(views, 10, ANN, 2)
    await views.advance(lane0(10))
    const goBack = await snapshot(engines.redis, prefix)
    await insert(views, 20, ANN, 2)
    await views.advance(lane0(20))
    await goBack()
    const next = openWith(prefix)
    expect(await next.adopt(lane0(20))).toBe(true)
    await next.advance(lane0(30))
    expect(await next.range(ANN, ID_MAX, 10)).toBeUndefined()
    expect(idsOf(await next.range(2, ID_MAX, 10))).toEqual([20, 10])
  })

  it('is everything: no timeline passes for an empty one', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN)
    const name = `${prefix}v:{${ANN % GROUPS}}`
    await engines.redis.send(name, ['DEL', name])
    expect(await views.range(ANN, ID_MAX, 10)).toBeUndefined()
    await insert(views, 10, ANN)
    expect(await views.range(ANN, ID_MAX, 10)).toBeUndefined()
  })
})

describe('redis views: lanes of several processes', () => {
  /** Inserts entry 10 for Ann, advances lane 0 to it, and takes the group back. `other` has advanced nothing. */
  async function lost(isAdoptedBefore: boolean) {
    const prefix = freshPrefix()
    const [ann, other] = [openWith(prefix), openWith(prefix)]
    await whole(ann, ANN)
    const goBack = await snapshot(engines.redis, prefix)
    await insert(ann, 10, ANN)
    await ann.advance(lane0(10))
    if (isAdoptedBefore) expect(await other.adopt(lane0(10))).toBe(true)
    await goBack()
    return { ann, other }
  }

  it('do not hide what another one lost', async () => {
    const { other } = await lost(false)
    await other.advance(lane1(30))
    const page = await other.range(ANN, ID_MAX, 10)
    expect(Array.from(page?.header.horizons ?? [])).toEqual([0, 30])
    expect(idsOf(page)).toEqual([])
  })

  it('are given up, not raised, by who took the lane over before it was lost', async () => {
    const { ann, other } = await lost(true)
    await other.advance(lane1(30))
    expect((await ann.range(ANN, ID_MAX, 10))?.header.horizons[0]).toBe(0)
    await other.advance(lane0(20))
    expect(await ann.range(ANN, ID_MAX, 10)).toBeUndefined()
    await whole(other, ANN)
    expect(Array.from((await ann.range(ANN, ID_MAX, 10))?.header.horizons ?? [])).toEqual([20, 30])
    const { resets } = other.groups
    await other.advance(new Map([...lane0(40), ...lane1(50)]))
    expect(Array.from((await ann.range(ANN, ID_MAX, 10))?.header.horizons ?? [])).toEqual([40, 50])
    expect(other.groups.resets).toBe(resets)
  })

  it('are given up by who takes the lane over after it was lost, while it goes on with its own', async () => {
    const { ann, other } = await lost(false)
    await whole(other, 2)
    await other.advance(lane1(30))
    const inserts = Array.from({ length: 40 }, (_, i) => insert(other, 40 + i, ANN, 2))
    const [isAny] = await Promise.all([other.adopt(lane0(10)), ...inserts])
    expect(isAny).toBe(true)
    expect(await ann.range(ANN, ID_MAX, 10)).toBeUndefined()
    expect(idsOf(await ann.range(2, ID_MAX, 100))).toHaveLength(40)
    await whole(other, ANN)
    await insert(other, 100, ANN)
    await other.advance(lane0(100))
    expect(idsOf(await ann.range(ANN, ID_MAX, 10))).toEqual([100])
    expect(other.groups).toMatchObject({ replays: 0, resets: 1 })
  })

  it('are not given up by who has had the lane all along, and can make again what is missing', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN)
    const goBack = await snapshot(engines.redis, prefix)
    await insert(views, 10, ANN)
    await views.advance(lane0(10))
    await goBack()
    await views.adopt(lane0(10))
    await views.advance(lane0(20))
    expect(idsOf(await views.range(ANN, ID_MAX, 10))).toEqual([10])
    expect(views.groups).toMatchObject({ replays: 1 })
  })
})

describe('redis views: keys that are not as they should be', () => {
  it('are lost timelines, until they are opened again', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN, BOB)
    const name = `${prefix}v:{${ANN % GROUPS}}`
    await engines.redis.send(name, ['DEL', `${name}:${ANN}`])
    await engines.redis.send(name, ['LPUSH', `${name}:${ANN}`, 'a list'])
    await engines.redis.send(name, ['SET', `${name}:${BOB}`, 'short'])
    await insert(views, 10, ANN, BOB)
    for (const owner of [ANN, BOB]) expect(await views.range(owner, ID_MAX, 10)).toBeUndefined()
    await whole(views, ANN, BOB)
    await insert(views, 20, ANN, BOB)
    for (const owner of [ANN, BOB]) expect(idsOf(await views.range(owner, ID_MAX, 10))).toEqual([20])
  })

  it('are all of a group lost when it is the group itself', async () => {
    const prefix = freshPrefix()
    const views = openWith(prefix)
    await whole(views, ANN)
    const name = `${prefix}v:{${ANN % GROUPS}}`
    await engines.redis.send(name, ['DEL', name])
    await engines.redis.send(name, ['LPUSH', name, 'a list'])
    await insert(views, 10, ANN)
    expect(await views.range(ANN, ID_MAX, 10)).toBeUndefined()
    await whole(views, ANN)
    await insert(views, 20, ANN)
    expect(idsOf(await views.range(ANN, ID_MAX, 10))).toEqual([20])
  })

  it('are all of a group lost when it tells of another number of lanes', async () => {
    const prefix = freshPrefix()
    const [two, three] = [openWith(prefix, 800, 2), openWith(prefix, 800, 3)]
    await whole(two, ANN)
    await two.advance(lane0(10))
    expect(await three.range(ANN, ID_MAX, 10)).toBeUndefined()
    expect(await three.adopt(lane0(0))).toBe(false)
    await whole(three, ANN)
    expect(Array.from((await three.range(ANN, ID_MAX, 10))?.header.horizons ?? [])).toEqual([0, 0, 0])
  })
})

describe('redis views: a server without memory', () => {
  it('loses no timeline in silence, and takes them again once there is room', async () => {
    const prefix = freshPrefix()
    const { redis } = engines
    const views = openWith(prefix)
    const config = (name: string, value: string) => redis.send(prefix, ['CONFIG', 'SET', name, value])
    await whole(views, ANN)
    await insert(views, 10, ANN)
    const info = String(await redis.send(prefix, ['INFO', 'memory']))
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? 'noeviction'
    await config('maxmemory-policy', 'noeviction')
    try {
      await config('maxmemory', '1')
      // Refused as a whole: the entries that were there stay, and fan-out goes on without the group.
      expect(await insert(views, 20, ANN)).toMatchObject({ inserted: 0, absent: 1 })
      expect(views.groups.lost).toBe(1)
      expect(idsOf(await views.range(ANN, ID_MAX, 10))).toEqual([10])
    } finally {
      await config('maxmemory', '0')
      await config('maxmemory-policy', policy)
    }
    while (views.groups.lost > 0) await new Promise((resolve) => setTimeout(resolve, 50))
    // It lacks an entry, so it counts as lost.
    expect(await views.range(ANN, ID_MAX, 10)).toBeUndefined()
    await whole(views, ANN)
    await insert(views, 30, ANN)
    expect(idsOf(await views.range(ANN, ID_MAX, 10))).toEqual([30])
    await views.close()
  })
})

describe('redis views: trimming', () => {
  it('keeps strings short while many come, and what readers see exact', async () => {
    const views = openWith(freshPrefix())
    await whole(views, ANN)
    for (let from = 1; from <= 5_000; from += 10) {
      const ids = Array.from({ length: 10 }, (_, i) => from + i)
      await views.insert(ids.map((id) => ({ id, ref: 1, kind: 0, owners: Uint32Array.of(ANN) })))
    }
    const page = await views.range(ANN, ID_MAX, 1_000)
    expect(idsOf(page)).toEqual(Array.from({ length: 800 }, (_, i) => 5_000 - i))
    expect(page?.header.floor).toBe(4_200)
  })

  it('keeps the newest by id, whatever came last', async () => {
    const views = openWith(freshPrefix(), 100)
    const [epoch] = await views.open([ANN])
    for (let id = 1_001; id <= 1_100; id++) await insert(views, id, ANN)
    const older = Array.from({ length: 500 }, (_, i) => ({ id: 900 - i, ref: 1, kind: 0 }))
    await views.merge(ANN, epoch, toEntries(older))
    await views.settle(ANN, epoch, 0)
    await insert(views, 1_101, ANN)
    const page = await views.range(ANN, ID_MAX, 1_000)
    expect(idsOf(page)).toEqual(Array.from({ length: 100 }, (_, i) => 1_101 - i))
    expect(page?.header.floor).toBe(1_001)
  })
})

describe('redis views: the latest of each ref', () => {
  const inbox = { name: 'inbox', keep: 'latest' } as const
  const REFS = 7

  it('keeps strings short while refs are replaced, by several clients, and the floor where it was', async () => {
    const prefix = freshPrefix()
    const views = [openWith(prefix, 100, 2, inbox), openWith(prefix, 100, 2, inbox)]
    await whole(views[0], ANN)
    let longest = 0
    for (let from = 1; from <= 5_000; from += 10) {
      const ids = Array.from({ length: 10 }, (_, i) => from + i)
      const spreads = ids.map((id) => ({ id, ref: id % REFS, kind: 0, owners: Uint32Array.of(ANN) }))
      await views[from % 2].insert(spreads)
      const key = `${prefix}v:inbox:{${ANN % GROUPS}}:${ANN}`
      longest = Math.max(longest, Number(await engines.redis.send(key, ['STRLEN', key])))
    }
    // 12 bytes an entry: a few batches may come while a timeline of 100 to 200 entries is being shortened.
    expect(longest).toBeLessThan(12 * 400)
    for (const view of views) {
      const page = await view.range(ANN, ID_MAX, 1_000)
      expect(idsOf(page)).toEqual(Array.from({ length: REFS }, (_, i) => 5_000 - i))
      expect(page?.header.floor).toBe(0)
      await view.close()
    }
  })

  it('keeps its refs over many others that are trimmed, when they come back', async () => {
    const views = openWith(freshPrefix(), 50, 2, inbox)
    await whole(views, ANN)
    for (let id = 1; id <= 2_000; id++) {
      await views.insert([{ id, ref: id % 2 === 0 ? id : 1, kind: 0, owners: Uint32Array.of(ANN) }])
    }
    const page = await views.range(ANN, ID_MAX, 1_000)
    // Ref 1 stands with 1,999; the other 49 places are those of the largest even ids.
    const others = Array.from({ length: 48 }, (_, i) => 1_998 - 2 * i)
    expect(idsOf(page)).toEqual([2_000, 1_999, ...others])
    expect(page?.header.floor).toBe(1_902)
    await views.close()
  })
})

describe('redis views: names', () => {
  it('lets several views live beside each other, each with its own timelines, horizons and losses', async () => {
    const prefix = freshPrefix()
    const home = openWith(prefix, 100, 2, { name: 'home' })
    const inbox = openWith(prefix, 100, 2, { name: 'inbox', keep: 'latest' })
    const mentions = openWith(prefix, 100, 2, { name: 'mentions' })
    for (const views of [home, inbox, mentions]) await whole(views, ANN)
    for (const id of [10, 20]) {
      for (const views of [home, inbox]) {
        await views.insert([{ id, ref: 1, kind: 0, owners: Uint32Array.of(ANN) }])
      }
    }
    await home.advance(lane0(20))
    await inbox.advance(lane0(15))
    expect(idsOf(await home.range(ANN, ID_MAX, 10))).toEqual([20, 10])
    expect(idsOf(await inbox.range(ANN, ID_MAX, 10))).toEqual([20])
    expect(idsOf(await mentions.range(ANN, ID_MAX, 10))).toEqual([])
    expect(Array.from((await inbox.range(ANN, ID_MAX, 10))!.header.horizons)).toEqual([15, 0])

    const next = openWith(prefix, 100, 2, { name: 'inbox', keep: 'latest' })
    expect(await next.adopt(lane0(16))).toBe(false)
    expect(await inbox.range(ANN, ID_MAX, 10)).toBeUndefined()
    expect(idsOf(await home.range(ANN, ID_MAX, 10))).toEqual([20, 10])
    await home.evict([ANN])
    expect(idsOf(await mentions.range(ANN, ID_MAX, 10))).toEqual([])
    for (const views of [home, inbox, mentions, next]) await views.close()
  })

  it('finds the timelines of a deployment from before views had names under the name home', async () => {
    const prefix = freshPrefix()
    const [unnamed, home] = [openWith(prefix), openWith(prefix, 800, 2, { name: 'home' })]
    await whole(unnamed, ANN)
    await insert(unnamed, 10, ANN)
    expect(idsOf(await home.range(ANN, ID_MAX, 10))).toEqual([10])
    const key = `${prefix}v:{${ANN % GROUPS}}:${ANN}`
    expect(await engines.redis.send(key, ['EXISTS', key])).toBe(1)
  })
})
