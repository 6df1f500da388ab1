/** The world of the bench `engines-path`: accounts with 50 to 200 followers each, and the requests that they send. */

import { writeFileSync } from 'node:fs'
import { below, createRandomU32 } from './graph.ts'
import { requestBytes } from './http-load.ts'
import type { BenchServer } from './http-server.ts'

export interface PathGraph {
  /** For each account, the numbers of its followers. An account's external id is its number. */
  readonly followers: readonly Uint32Array[]
  readonly follows: number
}

const FOLLOWERS_MIN = 50
const FOLLOWERS_MAX = 200
const REQUESTS_AT_ONCE = 32

export function createPathGraph(accounts: number): PathGraph {
  const random = createRandomU32(17)
  const followers = Array.from({ length: accounts }, (_, author) => {
    const count = FOLLOWERS_MIN + below(random, FOLLOWERS_MAX - FOLLOWERS_MIN + 1)
    const chosen = new Set<number>()
    while (chosen.size < count) {
      const follower = below(random, accounts)
      if (follower !== author) chosen.add(follower)
    }
    return Uint32Array.from(chosen)
  })
  return { followers, follows: followers.reduce((sum, { length }) => sum + length, 0) }
}

export function writeEdges({ followers }: PathGraph, file: string): void {
  const lines = followers.flatMap((list, author) => Array.from(list, (follower) => `${follower},${author}`))
  writeFileSync(file, lines.join('\n'))
}

/** Makes tokens for all accounts, in the order of their numbers. */
export async function openTokens(api: BenchServer, accounts: number): Promise<string[]> {
  const tokens: string[] = []
  await eachOf(accounts, async (account) => {
    const { token } = await api.call<{ token: string }>('POST', '/tokens', { account_id: `ext:${account}` })
    tokens[account] = token
  })
  return tokens
}

/** Runs tasks, a few at a time. */
export async function eachOf(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const run = async () => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, run))
}

export const authorized = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` })

export const feedRequest = (token: string): Buffer =>
  requestBytes('GET', '/api/v1/feed?limit=20', authorized(token))

export const postRequest = (token: string, content: string): Buffer =>
  requestBytes('POST', '/api/v1/posts', authorized(token), JSON.stringify({ content }))

const SYLLABLES = 'ba de fi go lu ma ne pi ro su ta ve wi xo zu cha dre fle gri plo'.split(' ')
const WORDS = 16

/** About 95 bytes of text, different for each post: otherwise compression would shrink the stored bytes to nothing. */
export function createContents(seed: number): () => string {
  const random = createRandomU32(seed)
  const syllable = () => SYLLABLES[below(random, SYLLABLES.length)]
  return () => Array.from({ length: WORDS }, () => syllable() + syllable() + syllable().slice(0, 2)).join(' ')
}
