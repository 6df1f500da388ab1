/** What people do, each recorded as it begins and as it is answered. */

import { randomUUID } from 'node:crypto'
import type { Answer, Client } from './client.ts'
import type {
  DeleteOperation,
  FollowOperation,
  History,
  Operation,
  Page,
  PostOperation,
  ReadOperation,
  SeenPost,
} from './history.ts'

export interface Person {
  readonly number: number
  /** The external id. */
  readonly name: string
  readonly token: string
}

export interface Operations {
  post(author: number, options?: { readonly withKey?: boolean }): Promise<PostOperation>
  delete(post: PostOperation): Promise<DeleteOperation>
  follow(reader: number, author: number, on: boolean): Promise<FollowOperation>
  /** From the newest post on, page by page. */
  read(reader: number, pagesMax: number): Promise<ReadOperation>
  /** Sends what has no known outcome again, with its key, and records what came of it. */
  repeat(operation: Operation): Promise<Answer>
}

export const PAGE_LIMIT = 20

export function createOperations(client: Client, people: readonly Person[], history: History): Operations {
  const begun = (key?: string) => ({
    startMs: performance.now(),
    endMs: Number.POSITIVE_INFINITY,
    outcome: 'unknown' as const,
    ...(key !== undefined && { key }),
  })
  const sendings = new WeakMap<Operation, () => Promise<Answer>>()

  async function send<T extends Operation>(operation: T, sending: () => Promise<Answer>): Promise<T> {
    sendings.set(operation, sending)
    settle(operation, await sending())
    return operation
  }

  async function page(reader: number, cursor: string | undefined, belowId: number) {
    const startMs = performance.now()
    const query = `?limit=${PAGE_LIMIT}${cursor === undefined ? '' : `&cursor=${cursor}`}`
    const answer = await client.call('GET', `/feed${query}`, { token: people[reader].token })
    return {
      answer,
      seen: answer.outcome === 'ok' ? pageOf(answer, { startMs, reader, belowId }) : undefined,
    }
  }

  return {
    post(author, { withKey = true } = {}) {
      const ref = randomUUID()
      const post: PostOperation = { ...begun(withKey ? `post-${ref}` : undefined), author, ref, deletes: [] }
      history.addPost(post)
      const body = { content: `Drill ${ref}`, client_ref: ref }
      return send(post, () =>
        client.call('POST', '/posts', { token: people[author].token, key: post.key, body }),
      )
    },
    delete(post) {
      const deletion: DeleteOperation = { ...begun(`delete-${post.ref}`), post }
      history.addDelete(deletion)
      const { token } = people[post.author]
      return send(deletion, () => client.call('DELETE', `/posts/${post.id}`, { token, key: deletion.key }))
    },
    follow(reader, author, on) {
      const follow: FollowOperation = { ...begun(`follow-${randomUUID()}`), reader, author, on }
      history.addFollow(follow)
      const path = `/accounts/ext:${people[author].name}/follow`
      const { token } = people[reader]
      return send(follow, () => client.call(on ? 'PUT' : 'DELETE', path, { token, key: follow.key }))
    },
    async read(reader, pagesMax) {
      const read: ReadOperation = { ...begun(), reader, pages: [] }
      history.addRead(read)
      let cursor: string | undefined
      let belowId = Number.POSITIVE_INFINITY
      for (let pages = 0; pages < pagesMax; pages++) {
        const { answer, seen } = await page(reader, cursor, belowId)
        settle(read, answer)
        if (seen === undefined) break
        read.pages.push(seen)
        if (!seen.hasMore) break
        cursor = answer.json.next_cursor
        belowId = seen.posts.at(-1)?.id ?? 0
      }
      return read
    },
    async repeat(operation) {
      const sending = sendings.get(operation)
      if (sending === undefined) throw new Error('only what was sent can be repeated')
      const answer = await sending()
      if (answer.outcome === 'ok') settle(operation, answer)
      return answer
    },
  }
}

function settle(operation: Operation & Partial<PostOperation>, { outcome, code, json }: Answer): void {
  operation.endMs = performance.now()
  operation.outcome = outcome
  operation.code = code
  if (outcome !== 'ok' || operation.ref === undefined) return
  operation.id = Number(json.id)
  operation.createdAtMs = Date.parse(json.created_at)
}

function pageOf({ json }: Answer, asked: Pick<Page, 'startMs' | 'reader' | 'belowId'>): Page {
  return {
    ...asked,
    endMs: performance.now(),
    posts: seenPosts(json.posts),
    hasMore: json.has_more,
    isComplete: json.complete,
    isDegraded: json.failed_sources.length > 0,
    asOfMs: Date.parse(json.as_of),
  }
}

interface PostJson {
  readonly id: string
  readonly client_ref: string | null
  readonly author: { readonly external_id: string | null }
}

/** People are named by their number in the world. */
export const nameOf = (number: number): string => `p${number}`

export const seenPosts = (posts: readonly PostJson[]): SeenPost[] =>
  posts.map(({ id, client_ref, author }) => ({
    id: Number(id),
    ref: client_ref ?? '',
    author: Number(author.external_id?.slice(1)),
  }))
