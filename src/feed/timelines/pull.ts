/**
 * Pull: merges the outboxes of many authors into their newest posts below an id. Used for authors who are not pushed,
 * for backfill and rebuild, and for everything below a timeline's floor.
 */

import type { OutboxSlice, Outboxes } from './outboxes.ts'

export interface Candidate {
  readonly id: number
  readonly author: number
  readonly kind: number
}

/** Candidates, newest first; complete for ids ≥ `lower` (0: down to the very first post). */
export interface Slice {
  readonly candidates: readonly Candidate[]
  readonly lower: number
}

export interface PullRequest {
  readonly authors: ArrayLike<number>
  /** Exclusive. */
  readonly below: number
  /** Inclusive lower end of the ids that are wanted. */
  readonly atLeast: number
  /** How many candidates are given at most. */
  readonly limit: number
}

/** Down to which id an author's outbox has been read. */
interface Cursor {
  readonly author: number
  lower: number
}

/** Posts found so far, in no order. Columns, and no objects: most of the posts are not among the newest. */
interface Found {
  readonly ids: number[]
  readonly authors: number[]
  readonly kinds: number[]
}

const ROUND_AUTHORS_MAX = 1_000

/** Gives no promise where all of it is in memory. */
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

/**
 * The merge is known only down to the highest id to which some outbox has been read. Reads on in the outboxes that were
 * read least far, until it is known far enough.
 */
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

/** The newest posts, as far down as every outbox has been read; `undefined` if those are fewer than `limit`. */
function finish(
  cursors: readonly Cursor[],
  found: Found,
  { atLeast, limit }: PullRequest,
): Slice | undefined {
  let lower = atLeast
  for (const cursor of cursors) if (cursor.lower > lower) lower = cursor.lower
  const known = Float64Array.from(found.ids).filter((id) => id >= lower)
  if (known.length < limit && lower > atLeast) return undefined
  // No more than asked for: the caller would hydrate and filter the surplus, which costs more than finding it again.
  if (known.length > limit) lower = known.sort()[known.length - limit]
  const candidates: Candidate[] = []
  for (let i = 0; i < found.ids.length; i++) {
    if (found.ids[i] < lower) continue
    candidates.push({ id: found.ids[i], author: found.authors[i], kind: found.kinds[i] })
  }
  return { candidates: candidates.sort((a, b) => b.id - a.id), lower }
}
