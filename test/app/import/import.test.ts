/** Imports into folders that hold data: follows and posts are united, nothing counts twice, nothing deleted returns. */

import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ldbcSource } from '../../../src/app/import/ldbc.ts'
import { noProgress } from '../../../src/app/import/progress.ts'
import { examine } from '../../../src/app/doctor/doctor.ts'
import { createRandom } from '../../../src/ports/env/random.ts'
import {
  describeWorld,
  env,
  fail,
  importSource,
  importText,
  numberOf,
  tempFolder,
  withRivulet,
  configOf,
} from '../folders.ts'

const LDBC = new URL('../../../../shared/data/ldbc-snb-tiny', import.meta.url).pathname

/** All faults that the doctor finds in a folder. */
async function complaints(data: string, readers = 6): Promise<string[]> {
  const found: string[] = []
  await examine({
    env,
    config: configOf(data),
    readers,
    progress: noProgress,
    onFatal: fail,
    onNotice: () => undefined,
    onFinding: ({ check, examples }) => found.push(...examples.map((example) => `${check}: ${example}`)),
  })
  return found
}

function powerLaw(seed: number, accounts: number, edges: number): string {
  const random = createRandom(seed)
  const pick = () => Math.floor(accounts * random() ** 3)
  return Array.from({ length: edges }, () => `u${pick()},u${Math.floor(random() * accounts)}`).join('\n')
}

function postLines(seed: number, accounts: number, posts: number): string {
  const random = createRandom(seed)
  return Array.from({ length: posts }, (_, i) => {
    // Seconds only, and few of them: many posts share a tick.
    const created_at = 1_600_000_000_000 + Math.floor(random() * 15) * 1_000
    return JSON.stringify({ author: `u${Math.floor(random() * accounts)}`, content: `post ${i}`, created_at })
  }).join('\n')
}

test('a repeated import changes nothing, and a different one adds to it', async () => {
  const [data, whole] = [tempFolder(), tempFolder()]
  const [one, other] = [powerLaw(1, 150, 1_500), powerLaw(2, 200, 1_500)]
  const [posts, more] = [postLines(1, 150, 3_000), postLines(2, 200, 1_500)]
  const first = await importText(data, { edges: one, posts })
  const world = await describeWorld(data)
  const again = await importText(data, { edges: one, posts })
  expect(again.accounts).toEqual({ created: 0, known: first.accounts.created })
  expect(again.edges).toEqual({ added: 0, known: first.edges.added, unfollowed: 0 })
  expect(again.posts).toEqual({ added: 0, known: 3_000, conflicting: 0 })
  expect(await describeWorld(data)).toEqual(world)
  await importText(data, { edges: other, posts: more })
  await importText(whole, { edges: `${one}\n${other}`, posts: `${posts}\n${more}` })
  const union = await describeWorld(data)
  expect(union.people).toEqual((await describeWorld(whole)).people)
  expect(union).toMatchObject({ outbox: 4_500, total: 4_500 })
  expect(await complaints(data)).toEqual([])
})

test('large audiences become leaves, and an import into those leaves nothing behind', async () => {
  const data = tempFolder()
  const fans = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `fan${from + i},star`).join('\n')
  await importText(data, { edges: fans(0, 1_200) })
  const { edges } = await importText(data, { edges: fans(1_000, 2_600) })
  expect(edges).toEqual({ added: 1_400, known: 200, unfollowed: 0 })
  // A live follow splits what the import packed; a third import packs it again.
  await withRivulet(data, async (rivulet) => {
    const star = await numberOf(rivulet, 'star')
    const { number } = await rivulet.graph.commands.createAccount({ externalId: 'live' })
    await rivulet.graph.commands.follow(number, star)
    await rivulet.graph.commands.unfollow(await numberOf(rivulet, 'fan7'), star)
  })
  const third = await importText(data, { edges: fans(0, 2_800) })
  expect(third.edges).toEqual({ added: 200, known: 2_599, unfollowed: 1 })
  await withRivulet(data, async (rivulet) => {
    expect(await rivulet.graph.reads.followersCount(await numberOf(rivulet, 'star'))).toBe(2_800)
  })
  expect(await complaints(data)).toEqual([])
})

test('an import does not undo unfollows, blocks and deletions', async () => {
  const data = tempFolder()
  const edges = 'a,b\na,c\nb,a\nc,a\nd,a'
  const posts = '{"author":"b","content":"gone soon","created_at":1600000000000}'
  await importText(data, { edges, posts })
  await withRivulet(data, async ({ graph, feed, ...rest }) => {
    const rivulet = { graph, feed, ...rest }
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => numberOf(rivulet, name)))
    await graph.commands.unfollow(a, b)
    await graph.commands.block(a, c, true)
    const { items } = await feed.reads.profile(b, undefined, 10)
    await feed.commands.delete(b, items[0].id)
  })
  const before = await describeWorld(data)
  const again = await importText(data, { edges, posts })
  expect(again.edges).toEqual({ added: 0, known: 2, unfollowed: 3 })
  expect(again.posts).toEqual({ added: 0, known: 1, conflicting: 0 })
  expect(await describeWorld(data)).toEqual(before)
  expect(before.people).toMatchObject({ a: { follows: [], followers: ['b', 'd'], followersCount: 2 } })
  expect(await complaints(data)).toEqual([])
})

test('the engine goes on where the import ended', async () => {
  const data = tempFolder()
  await importText(data, { edges: powerLaw(3, 2_000, 6_000) })
  await withRivulet(data, async (rivulet) => {
    const { graph, feed } = rivulet
    const u0 = await numberOf(rivulet, 'u0')
    const fresh = await graph.commands.createAccount({ externalId: 'fresh' })
    await graph.commands.follow(fresh.number, u0)
    await expect(graph.commands.createAccount({ externalId: 'u0' })).rejects.toMatchObject({
      code: 'external_id_taken',
    })
    const post = await feed.commands.post(u0, { content: 'to all of you' })
    await rivulet.settle()
    const [, reader] = (await graph.reads.followers(u0, 0, 10)).numbers
    for (const number of [reader, fresh.number]) {
      const page = await feed.reads.home(number, { limit: 1 })
      expect(page.items.map(({ id }) => id)).toEqual([post.id])
    }
    const receipt = await feed.reads.receipt(post.id)
    expect(receipt).toMatchObject({ skipped: 0, done: await graph.reads.followersCount(u0) })
  })
  expect(await complaints(data)).toEqual([])
})

test('an `after` from before an import is answered with `gap`', async () => {
  const data = tempFolder()
  await importText(data, { edges: 'a,b' })
  const readA = (after?: string) =>
    withRivulet(data, async (rivulet) => {
      const a = await numberOf(rivulet, 'a')
      return rivulet.feed.reads.home(a, { limit: 5, after })
    })
  const { after } = await readA()
  expect(await readA(after)).toMatchObject({ gap: false })
  await importText(data, { posts: '{"author":"b","content":"long ago","created_at":1300000000000}' })
  const page = await readA(after)
  expect(page.gap).toBe(true)
  expect(page.items.map(({ post }) => post.content)).toEqual(['long ago'])
})

test('the LDBC benchmark: people, friends, and posts of 2010', async (context) => {
  if (!existsSync(LDBC)) return context.skip('../shared/data/ldbc-snb-tiny is not here')
  const data = tempFolder()
  const { accounts, edges, posts, bad } = await importSource(data, await ldbcSource(LDBC))
  expect(bad).toEqual({})
  expect(accounts).toEqual({ created: 222, known: 0 })
  expect(edges.added).toBe(1_650)
  expect(posts).toEqual({ added: 5_924, known: 0, conflicting: 0 })
  await withRivulet(data, async (rivulet) => {
    const jose = await rivulet.graph.reads.byExternalId('8796093022220')
    expect(jose?.displayName).toBe('Jose Alonso')
    const { items } = await rivulet.feed.reads.profile(jose?.number ?? 0, undefined, 100)
    expect(items.map(({ post }) => post.custom)).toContain('{"image":"photo343597383680.jpg"}')
  })
  expect(await complaints(data)).toEqual([])
})
