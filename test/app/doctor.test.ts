/** The doctor finds planted faults: each kind of row of a healthy folder is damaged in turn, and the files, too. */

import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Finding } from '../../src/app/doctor/check.ts'
import { examine } from '../../src/app/doctor/doctor.ts'
import { noProgress } from '../../src/app/import/progress.ts'
import { csvSource } from '../../src/app/import/csv.ts'
import { importsTable } from '../../src/app/import/tables.ts'
import type { TypedTable } from '../../src/engine/rows/tables.ts'
import {
  likesTable,
  outboxTable,
  postCountsTable,
  postsTable,
  postTotalsTable,
} from '../../src/feed/index.ts'
import {
  accountsTable,
  followerHeadsTable,
  followerLeavesTable,
  followerTotalsTable,
  followingPackedTable,
  followingTable,
  numbersTable,
} from '../../src/graph/index.ts'
import type { Row, Store } from '../../src/ports/store/store.ts'
import {
  configOf,
  env,
  fail,
  importSource,
  numberOf,
  openFolder,
  tempFolder,
  withRivulet,
} from './folders.ts'

const LATER = 2 ** 52

async function findings(data: string): Promise<Finding[]> {
  const found: Finding[] = []
  const isWell = await examine({
    env,
    config: configOf(data),
    readers: 6,
    progress: noProgress,
    onFatal: fail,
    onNotice: () => undefined,
    onFinding: (finding) => found.push(finding),
  })
  expect(isWell).toBe(found.every(({ wrong }) => wrong === 0))
  return found
}

let healthy: string
let root: string
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'rivulet-healthy-'))
  healthy = join(root, 'data')
  const fans = Array.from({ length: 1_500 }, (_, i) => `fan${i},star`).join('\n')
  const posts = Array.from({ length: 30 }, (_, i) => {
    const author = i % 2 === 0 ? 'star' : 'fan1'
    return JSON.stringify({ author, content: `post ${i}`, created_at: 1.6e12 + i * 1e6 })
  })
  const files = { edges: join(root, 'edges.csv'), posts: join(root, 'posts.jsonl') }
  await writeFile(files.edges, `${fans}\nstar,fan1\nfan1,fan2`)
  await writeFile(files.posts, posts.join('\n'))
  await importSource(healthy, await csvSource({ ...files, mutual: false, header: 'auto' }))
  await withRivulet(healthy, async (rivulet) => {
    const [star, fan1] = await Promise.all(['star', 'fan1'].map((name) => numberOf(rivulet, name)))
    const post = await rivulet.feed.commands.post(star, { content: 'live' })
    const answer = await rivulet.feed.commands.post(fan1, { content: 'an answer', replyTo: post.id })
    await rivulet.feed.commands.like(star, answer.id, true)
    await rivulet.feed.commands.like(fan1, post.id, true)
    await rivulet.feed.commands.like(fan1, post.id, false)
    await rivulet.graph.commands.follow(star, await numberOf(rivulet, 'fan3'))
    await rivulet.settle()
  })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

function copyOfHealthy(): string {
  const data = join(tempFolder(), 'data')
  cpSync(healthy, data, { recursive: true })
  return data
}

async function rowsOf(store: Store, table: TypedTable<any, unknown>): Promise<Row[]> {
  return (await store.scan(table, undefined, 10_000)).filter((row) => row.sort.startsWith(table.prefix))
}

/** Replaces the value of the first row for which `change` gives a different one. */
async function damage<V>(store: Store, table: TypedTable<any, V>, change: (value: V) => V | undefined) {
  for (const row of await rowsOf(store, table)) {
    const value = change(table.decode(row))
    if (value === undefined) continue
    return store.write([table.row(row, LATER, value)])
  }
  throw new Error(`no row of ${table.name} to damage`)
}

test('a healthy folder is found healthy, twice', async () => {
  for (let round = 0; round < 2; round++) {
    const found = await findings(healthy)
    expect(found.flatMap(({ examples }) => examples)).toEqual([])
    expect(found.map(({ check }) => check)).toEqual([
      'folder',
      'log',
      'store',
      'accounts',
      'followers',
      'follows',
      'posts',
      'feeds',
    ])
    expect(found.at(-1)?.seen).toMatch(/^6 readers, [1-9]\d* posts$/)
  }
})

const NONE = new Uint32Array(0)
type Plant = (store: Store) => Promise<unknown>

/** Faults of different rows, planted together; the doctor must report each of them. */
const PLANTED: Record<string, readonly (readonly [RegExp, Plant])[]> = {
  store: [
    [
      /^the import of \S+ was interrupted: run it again/,
      (store) => damage(store, importsTable, (row) => ({ ...row, finished: false })),
    ],
  ],
  accounts: [
    [/^number \d+ belongs to no account/, (store) => damage(store, numbersTable, () => ({ id: 12_345 }))],
    [
      /^account \d+ has the external id nobody, which belongs to no account/,
      (store) => damage(store, accountsTable, (account) => ({ ...account, externalId: 'nobody' })),
    ],
  ],
  followers: [
    [
      /^number \d+ has \d+ followers, its head says \d+/,
      (store) => damage(store, followerHeadsTable, (head) => ({ ...head, count: head.count + 1 })),
    ],
    [/^a leaf of number \d+ has 0 followers/, (store) => damage(store, followerLeavesTable, () => NONE)],
    [
      /^the total of number \d+ says \d+ followers, its head \d+/,
      (store) =>
        damage(store, followerTotalsTable, (total) => ({ ...total, counts: total.counts.map((n) => n + 2) })),
    ],
  ],
  follows: [
    [
      /^number \d+ is among the followers of \d+, but does not follow it/,
      (store) =>
        damage(store, followingPackedTable, (row) => ({
          numbers: row.numbers.slice(1),
          ids: row.ids.slice(1),
        })),
    ],
    [
      /^number \d+ follows \d+, but is not among its followers/,
      (store) =>
        damage(store, followerHeadsTable, (head) =>
          head.numbers.length === 1 ? { ...head, numbers: NONE, count: 0 } : undefined,
        ),
    ],
  ],
  'live follows': [
    [
      /^number \d+ is among the followers of \d+, but does not follow it/,
      (store) => damage(store, followingTable, (edge) => ({ ...edge, on: false })),
    ],
  ],
  posts: [
    [
      /^post \d+ is not deleted, its author's outbox says otherwise/,
      (store) => damage(store, outboxTable, (entry) => ({ ...entry, on: false })),
    ],
    [
      /^post \d+ is not in its author's outbox/,
      (store) => damage(store, postsTable, (post) => ({ ...post, author: post.author + 1 })),
    ],
    [
      /^number \d+ has \d+ posts, \d+ of them hidden; its total says \d+/,
      (store) => damage(store, postTotalsTable, ({ posts }) => ({ posts: posts + 5, hidden: 0 })),
    ],
    [
      /^post \d+ has 1 replies, 0 reposts and 0 likes, its counts say 2, 0 and 0/,
      (store) =>
        damage(store, postCountsTable, (counts) =>
          counts.replies > 0 ? { ...counts, replies: counts.replies + 1 } : undefined,
        ),
    ],
    [
      /^post \d+ has 0 replies, 0 reposts and 1 likes, its counts say 0, 0 and 2/,
      (store) =>
        damage(store, postCountsTable, (counts) => (counts.likes > 0 ? { ...counts, likes: 2 } : undefined)),
    ],
    [
      /^whether number \d+ likes post \d+, its row and those of the post say differently/,
      (store) => damage(store, likesTable, () => ({ on: false })),
    ],
  ],
}

test.each(Object.keys(PLANTED))('planted: faults of %s', async (group) => {
  const data = copyOfHealthy()
  const ports = await openFolder(data)
  for (const [, plant] of PLANTED[group]) await plant(ports.store)
  await ports.close()
  const finding = (await findings(data)).find(({ check }) => group.endsWith(check))
  for (const [complaint] of PLANTED[group]) {
    expect(finding?.examples).toContainEqual(expect.stringMatching(complaint))
  }
})

test('a feed that lacks a post is found by reading it', async () => {
  const data = copyOfHealthy()
  const ports = await openFolder(data)
  // The kind in the outbox says "for its author only", while the post itself is public.
  const byStar = (await rowsOf(ports.store, outboxTable)).map((row) =>
    outboxTable.row(row, LATER, { on: true, kind: 4 }),
  )
  await ports.store.write(byStar)
  await ports.close()
  const feeds = (await findings(data)).find(({ check }) => check === 'feeds')
  expect(feeds?.examples).toContainEqual(
    expect.stringMatching(/^the feed of number \d+, from its timeline, has \d+ posts instead of \d+/),
  )
})

test('a flipped bit in the log is found and named', async () => {
  const data = copyOfHealthy()
  const [segment] = (await readdir(join(data, 'log'))).filter((name) => name.endsWith('.segment'))
  const path = join(data, 'log', segment)
  const bytes = await readFile(path)
  bytes[Math.floor(bytes.length / 2)] ^= 1
  await writeFile(path, bytes)
  const [finding] = (await findings(data)).filter(({ wrong }) => wrong > 0)
  expect(finding.examples[0]).toContain(path)
})

test('a folder that does not exist, or is in use, is refused', async () => {
  await expect(findings(join(tempFolder(), 'nothing'))).rejects.toMatchObject({ code: 'config_invalid' })
  const data = copyOfHealthy()
  const ports = await openFolder(data)
  await expect(findings(data)).rejects.toMatchObject({ code: 'data_locked' })
  await ports.close()
})
