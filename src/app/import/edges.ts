/** Imports follows: from rows of a file to the rows of followers and of following accounts. */

import { LIMITS } from '../../core/limits.ts'
import { followerTotalsTable, followingTable } from '../../graph/index.ts'
import type { Store } from '../../ports/store/store.ts'
import type { AccountBook } from './account-book.ts'
import { chooseEdges, type Choice } from './edge-choice.ts'
import { orderEdges, type Follows } from './edge-order.ts'
import type { EdgeReading, EdgeRows } from './edge-rows.ts'
import { groupBy, U32List, type Grouped } from './numbers-list.ts'
import type { Progress } from './progress.ts'
import type { Problems } from './problems.ts'
import type { ImportRun } from './run.ts'
import { writeFollowers } from './write-followers.ts'
import { writeFollowing } from './write-following.ts'

export interface EdgeSource {
  /** Each row stands for two follows, one in each direction. */
  readonly mutual: boolean
  read(reading: EdgeReading): Promise<EdgeRows>
}

export interface EdgeCounts {
  readonly added: number
  readonly known: number
  /** Left out because the pair was unfollowed or blocked here. */
  readonly unfollowed: number
}

export interface EdgeImport {
  readonly run: ImportRun
  /** Must have settled the accounts of all rows. */
  readonly book: AccountBook
  readonly mutual: boolean
  readonly problems: Problems
  readonly progress: Progress
}

export async function importEdges(rows: EdgeRows, parts: EdgeImport): Promise<EdgeCounts> {
  const { run, book, mutual, problems, progress } = parts
  const follows = orderEdges(rows, book.numbers(), mutual, problems)
  const isFresh = await hasNoEdges(run.store)
  const { isKept, counts, excess } = await chooseEdges(run.store, follows, isFresh)
  tellExcess(excess, rows, parts)
  const { byFollower, byFollowee } = groupKept(follows, isKept)
  const { store, version, id } = run
  const writing = { store, version, id, numberOf: follows.numberOf, isFresh }
  // Followers first: if the import ends in between, a post reaches readers whose feed leaves it out, and misses none.
  const added = await writeFollowers({ ...writing, progress: progress('followers') }, byFollowee)
  await writeFollowing({ ...writing, progress: progress('following') }, byFollower)
  return { added, known: counts.known + byFollower.values.length - added, unfollowed: counts.unfollowed }
}

function tellExcess(excess: Choice['excess'], rows: EdgeRows, { book, mutual, problems }: EdgeImport): void {
  const kind = `over the limit of ${LIMITS.followingMax} follows an account`
  const { from, to, placeOf } = rows
  const numbers = book.numbers()
  for (const { follower, followee } of excess.first) {
    const isIt = (one: number, other: number) => numbers[one] === follower && numbers[other] === followee
    const row = from.findIndex((one, row) => isIt(one, to[row]) || (mutual && isIt(to[row], one)))
    problems.add(placeOf(row), kind)
  }
  problems.count(kind, excess.total - excess.first.length)
}

/** Whether the store holds no follows. The scan of circles also finds blocks and mutes; that only costs speed. */
async function hasNoEdges(store: Store): Promise<boolean> {
  for (const table of [followerTotalsTable, followingTable]) {
    if ((await store.scan(table, undefined, 1)).length > 0) return false
  }
  return true
}

function groupKept(
  { numberOf, byFollower }: Follows,
  isKept: Uint8Array,
): { byFollower: Grouped; byFollowee: Grouped } {
  const { starts, values } = byFollower
  const [followers, followees] = [new U32List(), new U32List()]
  const keptStarts = new Uint32Array(starts.length)
  for (let rank = 0; rank < numberOf.length; rank++) {
    for (let at = starts[rank]; at < starts[rank + 1]; at++) {
      if (isKept[at] === 0) continue
      followers.push(rank)
      followees.push(values[at])
    }
    keptStarts[rank + 1] = followees.length
  }
  return {
    byFollower: { starts: keptStarts, values: followees.view() },
    byFollowee: groupBy(followees.view(), followers.view(), numberOf.length),
  }
}
