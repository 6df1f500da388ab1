/**
 * Checks what must hold after every drill, whatever the fault was: no acknowledged write is lost, no refused write took
 * effect, nothing is there twice, and every feed equals the merge of posts that the history demands.
 */

import type { Answer } from './client.ts'
import { checkEdges, checkFeeds } from './check-feeds.ts'
import { checkReads } from './check-reads.ts'
import { checkLookups, checkProfiles, readProfiles } from './check-stored.ts'
import type { Operation } from './history.ts'
import { knownToAll, type World } from './load.ts'

export interface Findings {
  /** Broken promises, one line each. */
  readonly violations: readonly string[]
  /** Number of writes with an unknown outcome, or temporarily refused, that succeeded when sent again with their key. */
  readonly repeated: number
  /** Number of such writes that were still refused, because the first try counts as under way. */
  readonly heldBack: number
  readonly checkedPosts: number
  readonly checkedPages: number
  readonly completePages: number
}

const IN_FLIGHT = 'idempotency_in_flight'

export async function checkAll(world: World): Promise<Findings> {
  const { history } = world
  const violations: string[] = []
  const report: Report = (line) => void violations.push(line)
  for (const [via, client] of world.clients.entries())
    checkProfiles(history, await readProfiles(world, client), through(via, report))
  // Before writes are repeated, because a refused post that is then accepted no longer counts as refused.
  checkReads(history, report)
  const { repeated, heldBack } = await repeatAll(world, report)
  await knownToAll(world)
  for (const via of world.clients.keys()) await checkThrough(world, via, through(via, report))
  checkReads(history, report)
  checkOrder(world, report)
  const pages = history.reads.flatMap((read) => read.pages)
  return {
    violations: [...new Set(violations)],
    repeated,
    heldBack,
    checkedPosts: history.posts.length,
    checkedPages: pages.length,
    completePages: pages.filter(({ isComplete }) => isComplete).length,
  }
}

type Report = (line: string) => void

const through =
  (via: number, report: Report): Report =>
  (line) =>
    report(`through API process ${via}: ${line}`)

async function checkThrough(world: World, via: number, report: Report): Promise<void> {
  const client = world.clients[via]
  const profiles = await readProfiles(world, client)
  checkProfiles(world.history, profiles, report)
  await checkLookups(world, client, report)
  const following = await checkEdges(world, client, report)
  await checkFeeds(world, via, profiles, following, report)
}

/**
 * Sends writes again as clients do: those with an unknown outcome, and posts that were temporarily refused. Of an edge's
 * operations only the last one is sent again, because an earlier one would undo those after it.
 */
async function repeatAll({ history, operations }: World, report: Report) {
  const lastFollows = new Map(history.follows.map((follow) => [`${follow.reader}>${follow.author}`, follow]))
  const isUnknown = ({ outcome }: Operation) => outcome === 'unknown'
  const writes: readonly Operation[] = [
    ...history.posts.filter((post) => isUnknown(post) || post.code === 'unavailable'),
    ...[...history.deletes, ...lastFollows.values()].filter(isUnknown),
  ]
  let repeated = 0
  let heldBack = 0
  for (const write of writes) {
    if (write.key === undefined) continue
    const answer: Answer = await operations.repeat(write)
    if (answer.outcome === 'ok') repeated++
    else if (answer.code === IN_FLIGHT) heldBack++
    else report(`a repeated write was answered with ${answer.status} ${answer.code} (${write.key})`)
  }
  return { repeated, heldBack }
}

/** The ticks of ids of two processes on one machine differ by no more than this. */
const SAME_MOMENT_MS = 20

/**
 * A post that began after another one was answered must have a higher id. If they went through different processes, this
 * holds from `SAME_MOMENT_MS` after the answer.
 */
function checkOrder({ history, clients }: World, report: Report): void {
  const known = history.posts.filter(({ id }) => id !== undefined)
  const byEnd = known.toSorted((a, b) => a.endMs - b.endMs)
  const byStart = known.toSorted((a, b) => a.startMs - b.startMs)
  for (const asked of clients.keys()) {
    let highest = 0
    let answered = 0
    for (const { id = 0, startMs, via } of byStart) {
      const beforeMs = via === asked ? startMs : startMs - SAME_MOMENT_MS
      for (; answered < byEnd.length && byEnd[answered].endMs < beforeMs; answered++)
        if (byEnd[answered].via === asked) highest = Math.max(highest, byEnd[answered].id ?? 0)
      if (id < highest) report(`post ${id} has a lower id than one that was answered before it began`)
    }
  }
}
