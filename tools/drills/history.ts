/**
 * What was asked of the server and what came of it, by the clock of the one process that asked: each operation
 * from its beginning to its answer. All checks are made against this.
 */

/** `fail` is a promise, too: it was not done. */
export type Outcome = 'ok' | 'fail' | 'unknown'

export interface Operation {
  readonly startMs: number
  /** Infinite while it is under way. */
  endMs: number
  outcome: Outcome
  /** What the server said where it did not say yes, or how the connection ended. */
  code?: string
  /** Its idempotency key. */
  readonly key?: string
  /** The API process that was asked; of several, the last one. */
  via: number
  /** How often it was sent again, by itself, as clients do. */
  retries?: number
}

export interface PostOperation extends Operation {
  readonly author: number
  /** `client_ref`, its name in the history. */
  readonly ref: string
  readonly deletes: DeleteOperation[]
  id?: number
  createdAtMs?: number
}

export interface DeleteOperation extends Operation {
  readonly post: PostOperation
}

export interface FollowOperation extends Operation {
  readonly reader: number
  readonly author: number
  readonly on: boolean
}

export interface SeenPost {
  readonly id: number
  readonly ref: string
  readonly author: number
}

/** A page that was answered with 200. */
export interface Page {
  readonly startMs: number
  readonly endMs: number
  readonly reader: number
  readonly via: number
  /** Only posts below it were asked for. */
  readonly belowId: number
  readonly posts: readonly SeenPost[]
  readonly hasMore: boolean
  readonly isComplete: boolean
  /** A source failed; without the timeline alone, the page is complete all the same. */
  readonly isDegraded: boolean
  readonly asOfMs: number
  /** The same by the clock of operations: every process knows what was answered until then. */
  readonly knownMs: number
}

/** Whether its outcome must be known to whoever is asked. */
export type IsKnown = (operation: Operation) => boolean

export const answeredBy =
  (atMs: number): IsKnown =>
  ({ endMs }) =>
    endMs <= atMs

/** Of a whole read, which may be of several pages. */
export interface ReadOperation extends Operation {
  readonly reader: number
  readonly pages: Page[]
}

/** Whether a reader follows an author: throughout a time, at no moment of it, or nobody can say. */
export type EdgeState = 'on' | 'off' | 'either'

export interface History {
  readonly posts: readonly PostOperation[]
  readonly deletes: readonly DeleteOperation[]
  readonly follows: readonly FollowOperation[]
  readonly reads: readonly ReadOperation[]
  readonly authors: Iterable<number>
  readonly postsOf: (author: number) => readonly PostOperation[]
  readonly byRef: (ref: string) => PostOperation | undefined
  readonly edge: (reader: number, author: number) => readonly FollowOperation[]
  /** From the moment at which `isKnown` is asked until `toMs`. */
  edgeDuring(reader: number, author: number, isKnown: IsKnown, toMs: number): EdgeState
  addPost(post: PostOperation): void
  addDelete(deletion: DeleteOperation): void
  addFollow(follow: FollowOperation): void
  addRead(read: ReadOperation): void
}

export function createHistory(): History {
  const posts: PostOperation[] = []
  const deletes: DeleteOperation[] = []
  const follows: FollowOperation[] = []
  const reads: ReadOperation[] = []
  const refs = new Map<string, PostOperation>()
  const byAuthor = new Map<number, PostOperation[]>()
  const edges = new Map<string, FollowOperation[]>()
  const edge = (reader: number, author: number) => edges.get(`${reader}>${author}`) ?? []
  return {
    posts,
    deletes,
    follows,
    reads,
    get authors() {
      return byAuthor.keys()
    },
    postsOf: (author) => byAuthor.get(author) ?? [],
    byRef: (ref) => refs.get(ref),
    edge,
    edgeDuring: (reader, author, isKnown, toMs) =>
      reader === author ? 'on' : stateDuring(edge(reader, author), isKnown, toMs),
    addPost(post) {
      posts.push(post)
      refs.set(post.ref, post)
      byAuthor.set(post.author, [...(byAuthor.get(post.author) ?? []), post])
    },
    addDelete(deletion) {
      deletes.push(deletion)
      deletion.post.deletes.push(deletion)
    },
    addFollow(follow) {
      follows.push(follow)
      edges.set(`${follow.reader}>${follow.author}`, [...edge(follow.reader, follow.author), follow])
    },
    addRead: (read) => void reads.push(read),
  }
}

/**
 * Operations of one edge were sent one after the other. What was unknown enters the log before a later one of
 * its key, or never: an answer that came later settles the edge again.
 */
function stateDuring(operations: readonly FollowOperation[], isKnown: IsKnown, toMs: number): EdgeState {
  let state: EdgeState = 'off'
  for (const operation of operations) {
    const { startMs, outcome, on } = operation
    if (outcome === 'fail') continue
    if (startMs >= toMs) break
    const isSettled = outcome === 'ok' && isKnown(operation)
    if (isSettled) state = on ? 'on' : 'off'
    else if (state !== (on ? 'on' : 'off')) state = 'either'
  }
  return state
}

/** Acknowledged, and never taken back as far as anybody could know at `atMs`. */
export const mustBeThere = (post: PostOperation, atMs: number): boolean =>
  post.outcome === 'ok' && !post.deletes.some(({ outcome, startMs }) => outcome !== 'fail' && startMs < atMs)

/** Refused, or taken back, and that is known. */
export const mustBeGone = (post: PostOperation, isKnown: IsKnown): boolean =>
  post.outcome === 'fail' || post.deletes.some((one) => one.outcome === 'ok' && isKnown(one))
