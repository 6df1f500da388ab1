/** Compares what readers see with what the oracle says. */

import { RivuletError } from '../../src/core/errors.ts'
import type { Item, ListPage } from '../../src/feed/index.ts'
import type { Model } from '../support/model.ts'
import type { Machine } from './machine.ts'
import { PAGE_SIZES } from './steps.ts'

export interface Checks {
  /** Reads a whole feed, page by page. Readers and sizes are indexes. */
  feed(reader: number, size: number): Promise<void>
  /** Remembers the `after` of one of the first pages. */
  keep(reader: number, size: number): Promise<void>
  /** Checks that `after` gives exactly what came since `keep`, or says that there is a gap. */
  after(reader: number): Promise<void>
  /** Of accounts and posts. */
  counts(): Promise<void>
  /** Feeds that were read while something was written, each in one page. */
  glances(): Promise<readonly Glance[]>
  /** Pages that claimed to be complete up to this post's id, while it was being written, hold it. */
  told(id: number, glances: readonly Glance[]): void
}

interface Glance {
  readonly reader: number
  readonly horizon: number
  readonly ids: readonly number[]
}

interface Kept {
  readonly after: string
  /** What the oracle said then. */
  readonly feed: readonly number[]
  readonly served: readonly number[]
  readonly horizon: number
}

export function createChecks(
  machine: Machine,
  model: Model,
  numbers: readonly number[],
  happened: Record<string, number>,
): Checks {
  const { driven, random } = machine
  const kept = new Map<number, Kept>()
  let freshAt = -1
  const count = (what: string) => void (happened[what] = (happened[what] ?? 0) + 1)
  const number = (index: number) => numbers[index]

  /** Of posts, the horizon tells what a process must know; of other changes, it must know all only once it has caught up. */
  async function beFresh(): Promise<void> {
    if (model.changes === freshAt) return
    await machine.fresh?.()
    freshAt = model.changes
  }

  async function readAll(reader: number, limit: number) {
    await beFresh()
    const pages = []
    let cursor: string | undefined
    do {
      const page = await driven(machine.rivulet.feed.reads.home(number(reader), { limit, cursor }))
      if (page.failedSources.length > 0) throw new Error(`sources failed: ${page.failedSources.join()}`)
      pages.push({ ...page, ids: page.items.map(({ id }) => id) })
      if (page.hasMore && page.items.length < limit) throw new Error('a short page says that there is more')
      cursor = page.nextCursor
    } while (cursor !== undefined)
    return pages
  }

  /** A cursor opens its own reader's feed and nothing else. */
  async function checkBound(reader: number, cursor: string | undefined): Promise<void> {
    if (cursor === undefined) return
    const other = number((reader + 1) % numbers.length)
    const refused = await driven(machine.rivulet.feed.reads.home(other, { limit: 1, cursor })).then(
      () => false,
      (error: unknown) => error instanceof RivuletError && error.code === 'invalid_cursor',
    )
    if (!refused) throw new Error(`the cursor of ${number(reader)} opens the feed of ${other}`)
  }

  async function check(reader: number, size: number): Promise<void> {
    count('check')
    const pages = await readAll(reader, PAGE_SIZES[size])
    await checkBound(reader, pages[0].nextCursor)
    for (const { items } of pages) await checkLiked(number(reader), items)
    const horizon = pages[0].horizon
    const read = pages.flatMap(({ ids }) => ids)
    // A post above the horizon that was not read has not reached this reader yet.
    const isKnown = (id: number) => id <= horizon || read.includes(id)
    const expected = model.feed(number(reader), isKnown)
    // Above the horizon fan-out is under way: a page may lack posts there, but must not hold wrong ones.
    const late = read.filter((id) => id > horizon)
    if (late.some((id) => !expected.includes(id)))
      throw differs('forbidden above the horizon', reader, late, expected)
    const upTo = (ids: readonly number[]) => ids.filter((id) => id <= horizon)
    if (!equal(upTo(read), upTo(expected))) throw differs('feed', reader, upTo(read), upTo(expected))
    if (new Set(read).size !== read.length) throw differs('twice', reader, read, expected)
  }

  /** What `viewer.liked` says of each post and original of a page. */
  async function checkLiked(viewer: number, items: readonly Item[]): Promise<void> {
    const known = await driven(Promise.resolve(machine.rivulet.feed.likes.among(viewer, items)))
    for (const { id } of items.flatMap(({ post, original }) => [post, original ?? post])) {
      const expected = model.likesPost(viewer, id)
      if ((known?.get(id) === true) !== expected)
        throw new Error(`liked: ${viewer} ${expected ? 'likes' : 'does not like'} post ${id}`)
    }
  }

  function differs(
    what: string,
    reader: number,
    read: readonly number[],
    expected: readonly number[],
  ): Error {
    const missing = expected.filter((id) => !read.includes(id))
    const extra = read.filter((id) => !expected.includes(id))
    return new Error(
      `${what}: reader ${number(reader)} reads ${read.length} of ${expected.length}; missing ${missing}; extra ${extra}`,
    )
  }

  async function keep(reader: number, size: number): Promise<void> {
    const pages = await readAll(reader, PAGE_SIZES[size])
    const index = Math.floor(random() * Math.min(pages.length, 3))
    const served = pages.slice(0, index + 1).flatMap(({ ids }) => ids)
    kept.set(reader, {
      after: pages[index].after,
      feed: model.feed(number(reader)),
      served,
      horizon: pages[0].horizon,
    })
  }

  async function checkAfter(reader: number): Promise<void> {
    const from = kept.get(reader)
    if (from === undefined) return
    await beFresh()
    const page = await driven(
      machine.rivulet.feed.reads.home(number(reader), { limit: 20, after: from.after }),
    )
    count(page.gap ? 'afterGap' : 'afterExact')
    if (page.gap) return
    const read = page.items.map(({ id }) => id)
    const isKnown = (id: number) => id <= page.horizon || read.includes(id) || from.served.includes(id)
    const now = model.feed(number(reader), isKnown)
    const fresh = now.filter(
      (id) => !from.feed.includes(id) || (id > from.horizon && !from.served.includes(id)),
    )
    const settled = (ids: readonly number[]) => ids.filter((id) => id <= page.horizon)
    if (read.some((id) => !fresh.includes(id))) throw differs('after', reader, read, fresh)
    if (!equal(settled(read), settled(fresh))) throw differs('after', reader, read, fresh)
    kept.set(reader, {
      after: page.after,
      feed: now,
      served: [...from.served, ...read],
      horizon: page.horizon,
    })
  }

  async function checkCounts(): Promise<void> {
    await machine.fresh?.()
    const { graph, feed } = machine.rivulet
    for (const account of numbers) {
      const read = await driven(
        Promise.all([
          graph.reads.followersCount(account),
          graph.reads.followingCount(account),
          feed.reads.postsCount(account),
        ]),
      )
      const expected = [
        model.followersCount(account),
        model.followingCount(account),
        model.postsCount(account),
      ]
      if (!equal(read, expected)) throw new Error(`counts of ${account}: ${read}, not ${expected}`)
    }
    const posts = await driven(feed.posts.load([...model.posts.keys()]))
    for (const [id, post] of posts) {
      const expected = [model.repliesCount(id), model.repostsCount(id), model.likesCount(id)]
      const counts = [post.replies, post.reposts, post.likes]
      if (!equal(counts, expected)) throw new Error(`counts of post ${id}: ${counts}, not ${expected}`)
      await checkAnswers(id)
    }
  }

  /** What the application, which sees everything, finds in the lists of a post. */
  async function checkAnswers(id: number): Promise<void> {
    const { reads } = machine.rivulet.feed
    const request = { limit: 100 }
    const lists: [string, Promise<ListPage>, number[]][] = [
      [
        'replies',
        reads.replies(id, undefined, { ...request, order: 'oldest' }),
        model.answers(id, 'replyTo'),
      ],
      ['latest replies', reads.replies(id, undefined, request), model.answers(id, 'replyTo').reverse()],
      [
        'reposts',
        reads.reposts(id, undefined, request),
        isGone(id) ? [] : model.answers(id, 'repostOf').reverse(),
      ],
    ]
    for (const [what, reading, expected] of lists) {
      const read = (await driven(reading)).items.map((item) => item.id)
      if (!equal(read, expected)) throw new Error(`${what} of post ${id}: ${read}, not ${expected}`)
    }
  }

  const isGone = (id: number) => model.posts.get(id)?.deleted === true

  async function glances(): Promise<Glance[]> {
    const count = machine.glances ?? 0
    return Promise.all(
      Array.from({ length: count }, async () => {
        const reader = Math.floor(random() * numbers.length)
        for (let turns = Math.floor(random() * 20); turns > 0; turns--) await machine.turn?.()
        const page = await machine.rivulet.feed.reads.home(number(reader), { limit: 100 }).catch(putOff)
        if (page === undefined) return { reader, horizon: 0, ids: [] }
        const isWhole = page.failedSources.length === 0 && !page.hasMore
        return { reader, horizon: isWhole ? page.horizon : 0, ids: page.items.map(({ id }) => id) }
      }),
    )
  }

  function told(id: number, seen: readonly Glance[]): void {
    for (const { reader, horizon, ids } of seen) {
      if (id > horizon || ids.includes(id) || !model.feed(number(reader)).includes(id)) continue
      throw new Error(
        `reader ${number(reader)} was told that all up to ${horizon} is there, but ${id} was not`,
      )
    }
  }

  return { feed: check, keep, after: checkAfter, counts: checkCounts, glances, told }
}

/** A page that was put off, because the simulated clock jumped past its deadline, claims nothing. */
function putOff(error: unknown): undefined {
  if (error instanceof RivuletError && error.code === 'not_ready') return undefined
  throw error
}

const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i])
