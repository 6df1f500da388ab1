/**
 * An author with so many followers that a post becomes a plan, which is served in chunks. The followers are imported
 * before the servers start; a few of them read their feeds.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Client } from './client.ts'
import { command, type Settings } from './server.ts'

const AUTHOR = 'crowd-author'
const READERS = 40
const PAGE_LIMIT = 100
const PATIENCE_MS = 60_000
const LOOK_MS = 200

export interface CrowdImport {
  readonly folder: string
  readonly settings: Settings
  readonly followers: number
  say(line: string): void
}

/** Imports into a data folder and moves that to the engines, because thousands of requests would take minutes. */
export function importCrowd({ folder, settings, followers, say }: CrowdImport): void {
  mkdirSync(folder, { recursive: true })
  const [edges, data] = [join(folder, 'edges.csv'), join(folder, 'data')]
  const rows = Array.from({ length: followers }, (_, i) => `${followerName(i)},${AUTHOR}\n`)
  writeFileSync(edges, rows.join(''))
  const startMs = performance.now()
  command(['import', '--data', data, '--edges', edges, '--no-header'], {})
  command(['move', '--data', data, '--to', 'engines'], settings)
  say(
    `${followers} followers of ${AUTHOR} imported in ${((performance.now() - startMs) / 1_000).toFixed(1)} s`,
  )
}

const followerName = (number: number): string => `f${number}`

export interface Crowd {
  readonly followers: number
  /** Ids of the posts that were acknowledged. */
  readonly posts: readonly string[]
  /** Posts as the author. Sends the post again, with its idempotency key, until it is acknowledged. @returns its id */
  post(): Promise<string>
  /** Whether the post's fan-out is done, as its receipt says. */
  isDone(post: string): Promise<boolean>
  /** Waits until the fan-out of all posts is done. @returns whether that was in time */
  settled(): Promise<boolean>
  check(report: (line: string) => void): Promise<void>
}

/** Reads the feeds once at first, so that there are timelines to push to. */
export async function createCrowd(clients: readonly Client[], followers: number): Promise<Crowd> {
  const [client] = clients
  const must = async (...asked: Parameters<Client['call']>) => expectOk(await client.call(...asked), asked[1])
  await must('PUT', `/admin/tiers/ext:${AUTHOR}`, { body: { tier: 'push' } })
  const tokenOf = async (name: string): Promise<string> =>
    (await must('POST', '/tokens', { body: { account_id: `ext:${name}` } })).token
  const token = await tokenOf(AUTHOR)
  const step = Math.max(1, Math.floor(followers / READERS))
  const names = Array.from({ length: Math.min(READERS, followers) }, (_, i) => followerName(i * step))
  const readers = await Promise.all(names.map(async (name) => ({ name, token: await tokenOf(name) })))
  await Promise.all(readers.map((reader) => must('GET', '/feed', { token: reader.token })))
  const posts: string[] = []
  let asked = 0

  async function receiptOf(post: string): Promise<{ done: number; planned: number; done_at: string | null }> {
    return expectOk(await anyOf(clients, 'GET', `/posts/${post}/receipt`), 'receipt')
  }

  return {
    followers,
    posts,
    async post() {
      const number = ++asked
      const sending = { token, key: `crowd-${number}`, body: { content: `To all of you, ${number}` } }
      const post = String(expectOk(await anyOf(clients, 'POST', '/posts', sending), '/posts').id)
      posts.push(post)
      return post
    },
    isDone: async (post) => (await receiptOf(post)).done_at !== null,
    async settled() {
      const untilMs = performance.now() + PATIENCE_MS
      for (const post of posts) {
        while ((await receiptOf(post)).done_at === null) {
          if (performance.now() > untilMs) return false
          await sleep(LOOK_MS)
        }
      }
      return true
    },
    async check(report) {
      for (const post of posts) {
        const { done, planned, done_at } = await receiptOf(post)
        if (done_at === null || done !== followers || planned !== followers)
          report(
            `the receipt of post ${post} says ${done} of ${planned}, done at ${done_at}; ${followers} follow`,
          )
      }
      const expected = posts.toSorted((a, b) => Number(b) - Number(a)).join()
      for (const [via, each] of clients.entries()) {
        for (const reader of readers) {
          const { json } = await each.call('GET', `/feed?limit=${PAGE_LIMIT}`, { token: reader.token })
          const found = (json?.posts ?? []).map(({ id }: { id: string }) => id).join()
          if (found !== expected)
            report(`through API process ${via}: ${reader.name} of the crowd reads ${found}, not ${expected}`)
        }
      }
    },
  }
}

/** Sends a request to one process after the other, until one answers with success. */
async function anyOf(clients: readonly Client[], ...asked: Parameters<Client['call']>): Promise<Answer> {
  const untilMs = performance.now() + PATIENCE_MS
  for (let round = 0; ; round++) {
    const answer = await clients[round % clients.length].call(...asked)
    if (answer.outcome === 'ok' || performance.now() > untilMs) return answer
    await sleep(LOOK_MS)
  }
}

function expectOk({ outcome, status, code, json }: Answer, what: string): Answer['json'] {
  if (outcome !== 'ok') throw new Error(`${what} was answered with ${status} ${code}`)
  return json
}
