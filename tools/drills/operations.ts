/** The operations of people: each is sent to a server, and recorded in the history at its start and at its answer. */

import { randomUUID } from 'node:crypto'
import type { Answer, Client } from './client.ts'
import type { Routes } from './routes.ts'
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
  /** Reads a feed page by page, newest first: all pages `through` one process, or each page through the next one. */
  read(reader: number, pagesMax: number, through?: number): Promise<ReadOperation>
  /** Sends a write again, with its idempotency key, through another process, and records the outcome if that succeeds. */
  repeat(operation: Operation): Promise<Answer>
}

export const PAGE_LIMIT = 20

type Sending = (client: Client, timeoutMs?: number) => Promise<Answer>

export function createOperations(routes: Routes, people: readonly Person[], history: History): Operations {
  const begun = (key?: string) => ({
    startMs: performance.now(),
    endMs: Number.POSITIVE_INFINITY,
    outcome: 'unknown' as const,
    via: 0,
    ...(key !== undefined && { key }),
  })
  const sendings = new WeakMap<Operation, Sending>()

  async function write<T extends Operation>(
    operation: T,
    { person, mayRepeat, send }: { person: number; mayRepeat: boolean; send: Sending },
  ): Promise<T> {
    sendings.set(operation, send)
    operation.via = routes.via('write', person)
    settle(operation, await routes.ask(operation, { kind: 'write', person, mayRepeat, send }))
    return operation
  }

  /** Reads one page. @returns the answer, and when its last try began */
  async function page(read: ReadOperation, query: string, asked: { at: number; through?: number }) {
    const { reader } = read
    let startMs = 0
    const send: Sending = (client, timeoutMs) => {
      startMs = performance.now()
      const { token } = people[reader]
      return client.call('GET', `/feed?limit=${PAGE_LIMIT}${query}`, {
        token,
        ...(timeoutMs && { timeoutMs }),
      })
    }
    if (asked.through === undefined) {
      const asking = { kind: 'read', person: reader, mayRepeat: true, page: asked.at, send } as const
      return { answer: await routes.ask(read, asking), startMs }
    }
    read.via = asked.through
    return { answer: await send(routes.clients[asked.through]), startMs }
  }

  return {
    post(author, { withKey = true } = {}) {
      const ref = randomUUID()
      const key = withKey ? `post-${ref}` : undefined
      const post: PostOperation = { ...begun(key), author, ref, deletes: [] }
      history.addPost(post)
      const sending = { token: people[author].token, key, body: { content: `Drill ${ref}`, client_ref: ref } }
      return write(post, {
        person: author,
        mayRepeat: withKey,
        send: (client, timeoutMs) =>
          client.call('POST', '/posts', { ...sending, ...(timeoutMs && { timeoutMs }) }),
      })
    },
    delete(post) {
      const deletion: DeleteOperation = { ...begun(`delete-${post.ref}`), post }
      history.addDelete(deletion)
      const sending = { token: people[post.author].token, key: deletion.key }
      return write(deletion, {
        person: post.author,
        mayRepeat: true,
        send: (client, timeoutMs) =>
          client.call('DELETE', `/posts/${post.id}`, { ...sending, ...(timeoutMs && { timeoutMs }) }),
      })
    },
    follow(reader, author, on) {
      const follow: FollowOperation = { ...begun(`follow-${randomUUID()}`), reader, author, on }
      history.addFollow(follow)
      const path = `/accounts/ext:${people[author].name}/follow`
      const sending = { token: people[reader].token, key: follow.key }
      // Not sent again after an unknown outcome: the first try may still enter the log later, after what another process
      // has been asked since, so the order of an edge's operations would not be known.
      return write(follow, {
        person: reader,
        mayRepeat: false,
        send: (client) => client.call(on ? 'PUT' : 'DELETE', path, sending),
      })
    },
    async read(reader, pagesMax, through) {
      const read: ReadOperation = { ...begun(), reader, pages: [] }
      history.addRead(read)
      let query = ''
      let belowId = Number.POSITIVE_INFINITY
      for (let at = 0; at < pagesMax; at++) {
        const asked = { at, ...(through !== undefined && { through }) }
        const { answer, startMs } = await page(read, query, asked)
        settle(read, answer)
        if (answer.outcome !== 'ok') break
        const seen = pageOf(answer, { startMs, reader, via: read.via, belowId })
        read.pages.push(seen)
        if (!seen.hasMore) break
        query = `&cursor=${answer.json.next_cursor}`
        belowId = seen.posts.at(-1)?.id ?? 0
      }
      return read
    },
    async repeat(operation) {
      const send = sendings.get(operation)
      if (send === undefined) throw new Error('an operation that was never sent cannot be repeated')
      const via = (operation.via + 1) % routes.clients.length
      const answer = await send(routes.clients[via])
      if (answer.outcome !== 'ok') return answer
      operation.via = via
      settle(operation, answer)
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

function pageOf({ json }: Answer, asked: Pick<Page, 'startMs' | 'reader' | 'via' | 'belowId'>): Page {
  const asOfMs = Date.parse(json.as_of)
  const endMs = performance.now()
  return {
    ...asked,
    endMs,
    posts: seenPosts(json.posts),
    hasMore: json.has_more,
    isComplete: json.complete,
    isDegraded: json.failed_sources.length > 0,
    asOfMs,
    knownMs: endMs - (Date.now() - asOfMs),
  }
}

interface PostJson {
  readonly id: string
  readonly client_ref: string | null
  readonly author: { readonly external_id: string | null }
}

/** The external id of the person with this number. */
export const nameOf = (number: number): string => `p${number}`

export const seenPosts = (posts: readonly PostJson[]): SeenPost[] =>
  posts.map(({ id, client_ref, author }) => ({
    id: Number(id),
    ref: client_ref ?? '',
    author: Number(author.external_id?.slice(1)),
  }))
