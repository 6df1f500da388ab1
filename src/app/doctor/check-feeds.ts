/** Reads the feeds of a sample of readers to their ends, and compares them with the oracle's, made from the rows. */

import { isRivuletError } from '../../core/errors.ts'
import { parseIdKeyDesc, parseKey, u32Key } from '../../core/keys.ts'
import { outboxTable, postsTable, postTotalsTable, VISIBILITIES, type PostRow } from '../../feed/index.ts'
import { oracleFeed, type OraclePost, type OracleWorld } from '../../feed/oracle.ts'
import { follows, isBlocked, isMuted, numbersTable, type Circle } from '../../graph/index.ts'
import type { TypedTable } from '../../engine/rows/tables.ts'
import type { Row, Store } from '../../ports/store/store.ts'
import { createFaults, type Finding, type Patient } from './check.ts'
import { scanPages } from './pages.ts'

const PAGE = 100
const RANGE_LIMIT = 10_000
const BATCH = 1_000

/** Reads each feed twice: pulled, as after the loss of its timeline, then from the timeline that this has rebuilt. */
export async function checkFeeds(patient: Patient, readers: number): Promise<Finding> {
  const { rivulet, ports } = patient
  const faults = createFaults()
  const show = patient.progress('feeds')
  const sample = await sampleReaders(ports.store, readers)
  let posts = 0
  for (const [i, reader] of sample.entries()) {
    const circle = await rivulet.graph.circles.of(reader)
    const expected = oracleFeed(await worldOf(ports.store, circle), reader)
    for (const how of ['pulled', 'from its timeline']) {
      const served = await wholeFeed(patient, reader)
      const at = expected.findIndex((id, place) => served[place] !== id)
      const same = at < 0 && served.length === expected.length
      const text = () =>
        `the feed of number ${reader}, ${how}, has ${served.length} posts instead of ${expected.length}; the first that differs is ${expected[at] ?? served[expected.length]}`
      faults.expect(same, text)
      await rivulet.settle()
    }
    posts += expected.length
    show(i + 1, sample.length)
  }
  return faults.finding('feeds', `${sample.length} readers, ${posts} posts`)
}

/** Half of the sample is spread evenly over all accounts, half over those that have posted. */
async function sampleReaders(store: Store, wanted: number): Promise<number[]> {
  const all = await collect(store, numbersTable, (row) => row.sort)
  const authors = await collect(store, postTotalsTable, (row) => row.partition)
  const sample = new Set(spread(authors, Math.ceil(wanted / 2)))
  for (const number of spread(all, wanted)) if (sample.size < wanted) sample.add(number)
  return [...sample]
}

const spread = (numbers: readonly number[], wanted: number): number[] => {
  const count = Math.min(wanted, numbers.length)
  return Array.from({ length: count }, (_, i) => numbers[Math.floor((i * numbers.length) / count)])
}

async function collect(store: Store, table: TypedTable<any, unknown>, keyOf: (row: Row) => string) {
  const numbers: number[] = []
  for await (const page of scanPages(store, table)) for (const row of page) numbers.push(parseKey(keyOf(row)))
  return numbers
}

async function wholeFeed({ rivulet }: Patient, reader: number): Promise<number[]> {
  const ids: number[] = []
  for (let cursor: string | undefined; ;) {
    const page = await whenReady(() => rivulet.feed.reads.home(reader, { limit: PAGE, cursor }))
    for (const { id } of page.items) ids.push(id)
    if (page.nextCursor === undefined) return ids
    cursor = page.nextCursor
  }
}

const TRIES = 24

/** Repeats a read that is `not_ready`: on a busy machine a page may be late, which is not a fault of its content. */
async function whenReady<T>(read: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await read()
    } catch (error) {
      // The next try continues where this one stopped.
      if (!isRivuletError(error, 'not_ready') || tries === TRIES) throw error
    }
  }
}

/** Loads everything that the feed of one reader can depend on. */
async function worldOf(store: Store, circle: Circle): Promise<OracleWorld> {
  const posts = new Map<number, OraclePost>()
  const load = async (ids: readonly number[]) => {
    for (let from = 0; from < ids.length; from += BATCH) {
      const rows = await store.get(ids.slice(from, from + BATCH).map((id) => postsTable.key(id)))
      for (const row of rows) {
        if (row === undefined) continue
        const post = toOracle(postsTable.decode(row))
        posts.set(post.id, post)
      }
    }
  }
  const own = await outboxIds(store, [...circle.following, circle.number])
  await load(own)
  const targets = [...posts.values()].flatMap(({ replyTo, repostOf }) => [replyTo ?? 0, repostOf ?? 0])
  await load(targets.filter((id) => id > 0 && !posts.has(id)))
  return {
    posts,
    follows: (_reader, author) => follows(circle, author),
    blocked: (one, other) => isBlocked(circle, one === circle.number ? other : one),
    muted: (_reader, author) => isMuted(circle, author),
  }
}

const toOracle = ({ id, author, visibility, replyTo, repostOf, deleted }: PostRow): OraclePost => ({
  id,
  author,
  visibility: VISIBILITIES[visibility],
  replyTo: replyTo > 0 ? replyTo : undefined,
  repostOf: repostOf > 0 ? repostOf : undefined,
  deleted,
})

async function outboxIds(store: Store, authors: readonly number[]): Promise<number[]> {
  const ids: number[] = []
  for (let open = authors.map((author) => ({ author, from: '' })); open.length > 0;) {
    const ranges = open.map(({ author, from }) => ({
      table: outboxTable,
      partition: u32Key(author),
      from,
      limit: RANGE_LIMIT,
    }))
    const pages = await store.range(ranges)
    for (const page of pages) for (const row of page) ids.push(parseIdKeyDesc(row.sort))
    open = open.flatMap(({ author }, i) => {
      const last = pages[i][RANGE_LIMIT - 1]
      return last === undefined ? [] : [{ author, from: `${last.sort}0` }]
    })
  }
  return ids
}
