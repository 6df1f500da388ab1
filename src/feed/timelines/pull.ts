/**
 * The naive merge, done well: the newest posts of many authors below an id. Serves the pull source, backfill,
 * rebuild and everything below a timeline's floor.
 */

import type { OutboxSlice, Outboxes } from './outboxes.ts'

export interface Candidate {
  readonly id: number
  readonly author: number
  readonly kind: number
}

/** Candidates newest first, and the id from which on they are all of them (0: to the very first). */
export interface Slice {
  readonly candidates: readonly Candidate[]
  readonly lower: number
}

export interface PullRequest {
  readonly authors: ArrayLike<number>
  /** Exclusive. */
  readonly below: number
  /** Nothing below this is wanted. */
  readonly atLeast: number
  /** At most so many are given. */
  readonly limit: number
}

interface Cursor {
  readonly author: number
  lower: number
}

/** What was found so far, in no order; columns, for most of it is never given. */
interface Found {
  readonly ids: number[]
  readonly authors: number[]
  readonly kinds: number[]
}

const ROUND_AUTHORS_MAX = 1_000

export function pull(outboxes: Pick<Outboxes, 'read'>, request: PullRequest): Slice | Promise<Slice> {
  const { authors, below, limit } = request
  if (authors.length === 0 || request.atLeast >= below) return { candidates: [], lower: request.atLeast }
  const perAuthor = Math.min(limit, Math.max(4, Math.ceil((2 * limit) / authors.length)))
  const cursors = Array.from(authors, (author): Cursor => ({ author, lower: below }))
  const found: Found = { ids: [], authors: [], kinds: [] }
  if (cursors.length > ROUND_AUTHORS_MAX) return pullRounds(outboxes, request, cursors, found, perAuthor)
  const first = outboxes.read(cursors.map(({ author }) => ({ author, below, limit: perAuthor })))
  const goOn = (slices: readonly OutboxSlice[]) => {
    take(cursors, slices, request.atLeast, found)
    return finish(cursors, found, request) ?? pullRounds(outboxes, request, cursors, found, perAuthor * 2)
  }
  return first instanceof Promise ? first.then(goOn) : goOn(first)
}

/** Reads on in the outboxes that hold the merge back, until there is enough above what is known of all. */
async function pullRounds(
  outboxes: Pick<Outboxes, 'read'>,
  request: PullRequest,
  cursors: readonly Cursor[],
  found: Found,
  perAuthor: number,
): Promise<Slice> {
  for (let size = perAuthor; ; size = Math.min(size * 2, 800)) {
    const open = cursors.filter(({ lower }) => lower > request.atLeast)
    const highest = open.reduce((max, { lower }) => Math.max(max, lower), 0)
    const middle = open.reduce((sum, { lower }) => sum + lower / open.length, 0)
    const behind = open.filter(({ lower }) => lower >= middle || lower === highest)
    for (let at = 0; at < behind.length; at += ROUND_AUTHORS_MAX) {
      const some = behind.slice(at, at + ROUND_AUTHORS_MAX)
      const requests = some.map(({ author, lower }) => ({ author, below: lower, limit: size }))
      take(some, await outboxes.read(requests), request.atLeast, found)
    }
    const slice = finish(cursors, found, request)
    if (slice !== undefined) return slice
  }
}

function take(
  cursors: readonly Cursor[],
  slices: readonly OutboxSlice[],
  atLeast: number,
  { ids, authors, kinds }: Found,
): void {
  for (let i = 0; i < slices.length; i++) {
    const slice = slices[i]
    const cursor = cursors[i]
    cursor.lower = slice.lower
    for (let j = slice.end - 1; j >= slice.start && slice.ids[j] >= atLeast; j--) {
      ids.push(slice.ids[j])
      authors.push(cursor.author)
      kinds.push(slice.kinds[j])
    }
  }
}

/** The merge as far as every author is known, if that is enough: at most `limit` of it, the newest. */
function finish(
  cursors: readonly Cursor[],
  found: Found,
  { atLeast, limit }: PullRequest,
): Slice | undefined {
  let lower = atLeast
  for (const cursor of cursors) if (cursor.lower > lower) lower = cursor.lower
  const known = Float64Array.from(found.ids).filter((id) => id >= lower)
  if (known.length < limit && lower > atLeast) return undefined
  // Whoever asked reads all that it gets: what is beyond is cheaper to find again.
  if (known.length > limit) lower = known.sort()[known.length - limit]
  const candidates: Candidate[] = []
  for (let i = 0; i < found.ids.length; i++) {
    if (found.ids[i] < lower) continue
    candidates.push({ id: found.ids[i], author: found.authors[i], kind: found.kinds[i] })
  }
  return { candidates: candidates.sort((a, b) => b.id - a.id), lower }
}
