/** Checks against the history whom each person follows, and what each feed holds down to its very first post. */

import type { Client } from './client.ts'
import { answeredBy, type SeenPost } from './history.ts'
import type { World } from './load.ts'
import type { Profiles } from './check-stored.ts'

const PAGES_MAX = 1_000
const ACCOUNTS_MAX = 100

/** For each reader, the numbers of the people whom the server says that the reader follows. */
export type Following = readonly ReadonlySet<number>[]

export async function checkEdges(
  { people, history }: World,
  client: Client,
  report: (line: string) => void,
): Promise<Following> {
  const following: Set<number>[] = []
  for (const { name } of people) {
    const answer = await client.call('GET', `/accounts/ext:${name}/following?limit=${ACCOUNTS_MAX}`)
    if (answer.outcome !== 'ok') throw new Error(`whom ${name} follows: ${answer.status} ${answer.code}`)
    const accounts = answer.json.accounts as { external_id: string }[]
    following.push(new Set(accounts.map((account) => Number(account.external_id.slice(1)))))
  }
  const nowMs = performance.now()
  for (const { number: reader } of people) {
    for (const { number: author } of people) {
      if (reader === author) continue
      const state = history.edgeDuring(reader, author, answeredBy(nowMs), nowMs)
      const found = following[reader].has(author) ? 'on' : 'off'
      if (state !== 'either' && state !== found)
        report(`p${reader} follows p${author}: ${found}, but ${state} was acknowledged last`)
    }
  }
  return following
}

/** Compares each feed with a plain merge of profiles, which were checked against the history before. */
export async function checkFeeds(
  { operations, people }: World,
  via: number,
  profiles: Profiles,
  following: Following,
  report: (line: string) => void,
): Promise<void> {
  for (const { number: reader } of people) {
    const authors = [reader, ...following[reader]]
    const expected = authors
      .flatMap((author) => profiles[author])
      .map(({ id }) => id)
      .sort((a, b) => b - a)
    const { outcome, code, pages } = await operations.read(reader, PAGES_MAX, via)
    if (outcome !== 'ok') report(`the feed of p${reader} was answered with ${code}`)
    if (pages.some(({ isComplete }) => !isComplete))
      report(`the feed of p${reader} is not complete in the end`)
    const found = pages.flatMap((page) => page.posts)
    compare(`the feed of p${reader}`, expected, found, report)
  }
}

function compare(
  feed: string,
  expected: readonly number[],
  found: readonly SeenPost[],
  report: (line: string) => void,
): void {
  const ids = found.map(({ id }) => id)
  const [wanted, met] = [new Set(expected), new Set(ids)]
  for (const id of wanted) if (!met.has(id)) report(`${feed} lacks post ${id}`)
  for (const id of met) if (!wanted.has(id)) report(`${feed} has post ${id}, which does not belong there`)
  if (met.size < ids.length) report(`${feed} has ${ids.length - met.size} posts twice`)
  else if (ids.some((id, at) => at > 0 && id > ids[at - 1])) report(`${feed} is out of order`)
}
