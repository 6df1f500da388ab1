/** Follow graphs for benches: followers of each author, in two typed arrays. */

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The followers of author `a` are `followers[starts[a]]` to `followers[starts[a + 1] - 1]`. */
export interface Graph {
  readonly name: string
  readonly accounts: number
  readonly edges: number
  readonly starts: Uint32Array
  readonly followers: Uint32Array
}

export const DATA_SETS =
  process.env['RIVULET_DATA_SETS'] ?? fileURLToPath(new URL('../../shared/data', import.meta.url))

/** Mutual follows between developers; `undefined` if the data set is not on this machine. */
export function loadMusae(): Graph | undefined {
  const path = `${DATA_SETS}/musae-github/edges.csv`
  if (!existsSync(path)) return undefined
  const lines = readFileSync(path, 'utf8').trim().split('\n').slice(1)
  const pairs = new Uint32Array(lines.length * 2)
  for (const [i, line] of lines.entries()) {
    const [a, b] = line.split(',')
    pairs[2 * i] = Number(a)
    pairs[2 * i + 1] = Number(b)
  }
  return fromMutual('musae-github', pairs)
}

function fromMutual(name: string, pairs: Uint32Array): Graph {
  const accounts = pairs.reduce((most, account) => Math.max(most, account), 0) + 1
  const starts = new Uint32Array(accounts + 1)
  for (const account of pairs) starts[account + 1]++
  for (let account = 0; account < accounts; account++) starts[account + 1] += starts[account]
  const next = starts.slice(0, accounts)
  const followers = new Uint32Array(pairs.length)
  for (let i = 0; i < pairs.length; i++) followers[next[pairs[i]]++] = pairs[i ^ 1]
  return { name, accounts, edges: followers.length, starts, followers }
}

/** Follower counts fall with this power of the author's rank; the largest ones are capped. */
const EXPONENT = 0.8
const FOLLOWERS_MAX = 100_000

/** Makes about `edges` edges. Each author's followers are distinct, drawn uniformly, and in no order. */
export function generatePowerLaw(accounts: number, edges: number, seed: number): Graph {
  const random = createRandomU32(seed)
  const starts = powerLawStarts(accounts, edges)
  const followers = new Uint32Array(starts[accounts])
  const seen = new Uint32Array(accounts)
  for (let author = 0; author < accounts; author++) {
    for (let at = starts[author]; at < starts[author + 1];) {
      const follower = below(random, accounts)
      if (seen[follower] === author + 1) continue
      seen[follower] = author + 1
      followers[at++] = follower
    }
  }
  const name = `power law, ${accounts / 1e6} M accounts, ${(followers.length / 1e6).toFixed(1)} M edges`
  return { name, accounts, edges: followers.length, starts, followers }
}

function powerLawStarts(accounts: number, edges: number): Uint32Array {
  const cap = Math.min(FOLLOWERS_MAX, accounts >> 1)
  const total = (scale: number) => {
    let sum = 0
    for (let rank = 1; rank <= accounts; rank++) sum += followersAt(rank, scale, cap)
    return sum
  }
  let [low, high] = [0, edges]
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2
    if (total(middle) < edges) low = middle
    else high = middle
  }
  const starts = new Uint32Array(accounts + 1)
  for (let rank = 1; rank <= accounts; rank++) starts[rank] = starts[rank - 1] + followersAt(rank, high, cap)
  return starts
}

const followersAt = (rank: number, scale: number, cap: number): number =>
  Math.min(cap, Math.round(scale * rank ** -EXPONENT))

/** xorshift: fast enough for a hundred million draws, and the same sequence on every machine. */
export function createRandomU32(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

export const below = (random: () => number, end: number): number => Math.floor((random() / 2 ** 32) * end)

export function shuffled(length: number, seed: number): Uint32Array {
  const random = createRandomU32(seed)
  const order = Uint32Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const other = below(random, i + 1)
    ;[order[i], order[other]] = [order[other], order[i]]
  }
  return order
}
