/**
 * The history of a drill: every operation that clients sent, with its start, its answer and its outcome. One process
 * sends all of them, so all times are of one clock. All checks compare what the servers show with this history.
 */

/** `fail` is a promise, too: the server says that the operation was not done. */
export type Outcome = 'ok' | 'fail' | 'unknown'

export interface Operation {
  readonly startMs: number
  /** `Infinity` while the operation is under way. */
  endMs: number
  outcome: Outcome
  /** Unless the outcome is `ok`: the code of the server's error, or how the connection ended. */
  code?: string
  /** The idempotency key. */
  readonly key?: string
  /** The API process that was asked; the last one, if there were several tries. */
  via: number
  /** How often the client has sent it again by itself. */
  retries?: number
}

export interface PostOperation extends Operation {
  readonly author: number
  /** The post's `client_ref`, by which the history finds it. */
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
  /** The page was asked for posts below this id. */
  readonly belowId: number
  readonly posts: readonly SeenPost[]
  readonly hasMore: boolean
  readonly isComplete: boolean
  /** A source failed. The page may be complete all the same, if that was only the timeline. */
  readonly isDegraded: boolean
  readonly asOfMs: number
  /** `asOfMs` on the clock of operations: the page takes into account what any process had answered by then. */
  readonly knownMs: number
}

/** Whether the server that answers must know of the operation. */
export type IsKnown = (operation: Operation) => boolean

export const answeredBy =
  (atMs: number): IsKnown =>
  ({ endMs }) =>
    endMs <= atMs

/** A whole read, of one or more pages. */
export interface ReadOperation extends Operation {
  readonly reader: number
  readonly pages: Page[]
}

/** Whether a reader follows an author: throughout a time span, never in it, or it cannot be told. */
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
  /** The state of an edge, from the operations that a server must know of (`isKnown`) until `toMs`. */
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
 * Operations of one edge are sent one after the other. One with an unknown outcome enters the log before later ones of its
 * log key, or never; so the next operation that is acknowledged settles the state of the edge.
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

/** The post was acknowledged, and no delete of it that may have succeeded was sent before `atMs`. */
export const mustBeThere = (post: PostOperation, atMs: number): boolean =>
  post.outcome === 'ok' && !post.deletes.some(({ outcome, startMs }) => outcome !== 'fail' && startMs < atMs)

/** The post was refused, or deleted by an operation that the server must know of. */
export const mustBeGone = (post: PostOperation, isKnown: IsKnown): boolean =>
  post.outcome === 'fail' || post.deletes.some((one) => one.outcome === 'ok' && isKnown(one))
