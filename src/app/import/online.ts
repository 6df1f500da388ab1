/**
 * Imports into a running server, through its batches: accounts, then follows, then posts. The files are read and checked
 * as by the import into a folder. An import that was interrupted is run again: the keys of its items are made of their
 * content, so the server does not carry out again what it did within the last 24 hours.
 */

import { createHash } from 'node:crypto'
import { VISIBILITIES } from '../../feed/index.ts'
import { createBatchClient, inBatches, type BatchClientOptions, type BatchItem } from './batch-client.ts'
import type { EdgeRows } from './edge-rows.ts'
import { readAll, type ImportSource } from './import.ts'
import { createNames, type Names } from './names.ts'
import type { PostInput } from './post-input.ts'
import { createProblems, type Place, type Problems } from './problems.ts'
import type { Progress } from './progress.ts'

export interface OnlineOptions extends BatchClientOptions {
  readonly progress: Progress
  /** The first invalid row ends the import before anything is sent. */
  readonly isStrict?: boolean | undefined
}

/** How many of each the server has carried out, now or in an earlier run. */
export interface OnlineSummary {
  readonly accounts: number
  readonly follows: number
  readonly posts: number
  readonly problems: Problems
}

/** Batches under way at a time. Of posts only one is, so that they keep the order of the file. */
const BATCHES_AT_ONCE = 4

/** Throws `import_invalid` for a file in the wrong format or without a valid row; `unavailable` if the server is. */
export async function importOnline(source: ImportSource, options: OnlineOptions): Promise<OnlineSummary> {
  const { env, progress, notice, isStrict } = options
  const problems = createProblems(notice, { isStrict })
  const names = createNames()
  const nowMs = env.wallMs()
  const { rows, postsSeen } = await readAll(source, { names, problems, notice, progress, nowMs })
  // What the server refuses is shown, too, and cannot undo what is sent already.
  const refused = createProblems(notice)
  const sender = createSender(options, refused)
  let accounts = await sender.accounts(names, 0)
  const isMutual = source.edges?.mutual === true
  const follows =
    rows === undefined
      ? 0
      : await sender.follows(followItems(rows, names, isMutual), rows.from.length * (isMutual ? 2 : 1))
  let [posts, seen] = [0, 0]
  const tell = progress('posts')
  const reading = { problems: createProblems(() => undefined), nowMs, progress: () => undefined }
  for await (const batch of source.posts?.read(reading) ?? []) {
    const from = names.list.length
    for (const { author } of batch) if (names.find(author) === undefined) names.add(author)
    accounts += await sender.accounts(names, from)
    posts += await sender.posts(batch)
    tell((seen += batch.length), postsSeen)
  }
  return { accounts, follows, posts, problems: both(problems, refused) }
}

function createSender(options: OnlineOptions, problems: Problems) {
  const { send } = createBatchClient(options)
  const refuse = (place: Place, { code, detail }: { code: string; detail: string }) =>
    problems.add(place, code, detail)

  /** Sends batches side by side. */
  async function all<P>(
    what: 'accounts' | 'follows',
    items: Iterable<BatchItem<P>>,
    refusedAt: (place: P) => Place,
    tell: (done: number) => void,
  ): Promise<number> {
    const batches = inBatches(items)
    let [done, ended] = [0, 0]
    const takeTurns = async () => {
      for (;;) {
        const { value: batch, done: isLast } = await batches.next()
        if (isLast === true) return
        const sent = await send(what, batch, (place, problem) => refuse(refusedAt(place), problem))
        // Not `done += await …`, which would lose what others have added meanwhile.
        done += sent
        tell((ended += batch.length))
      }
    }
    await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, takeTurns))
    return done
  }

  return {
    /** Accounts of the names from an index on. */
    async accounts(names: Names, from: number): Promise<number> {
      const total = names.list.length
      if (from === total) return 0
      const tell = options.progress('accounts')
      const placeOf = (at: number): Place => ({ file: `account ${JSON.stringify(names.list[at])}`, line: at })
      return all('accounts', accountItems(names, from), placeOf, (done) => tell(from + done, total))
    },
    follows(items: Iterable<BatchItem<Place>>, total: number): Promise<number> {
      const tell = options.progress('follows')
      return all(
        'follows',
        items,
        (place) => place,
        (done) => tell(done, total),
      )
    },
    async posts(posts: readonly PostInput[]): Promise<number> {
      let done = 0
      for await (const batch of inBatches(posts.map(postItem))) done += await send('posts', batch, refuse)
      return done
    },
  }
}

function* accountItems({ list, displayNames }: Names, from: number): Generator<BatchItem<number>> {
  for (let at = from; at < list.length; at++) {
    const displayName = displayNames.get(at)
    const item = {
      external_id: list[at],
      ...(displayName !== undefined && { display_name: displayName }),
      idempotency_key: keyOf('account', list[at], displayName),
    }
    yield { json: JSON.stringify(item), values: 4, place: at }
  }
}

function* followItems(
  { from, to, placeOf }: EdgeRows,
  { list }: Names,
  isMutual: boolean,
): Generator<BatchItem<Place>> {
  for (let row = 0; row < from.length; row++) {
    const [one, other] = [list[from[row]], list[to[row]]]
    yield followItem(one, other, placeOf(row))
    if (isMutual) yield followItem(other, one, placeOf(row))
  }
}

const followItem = (follower: string, followee: string, place: Place): BatchItem<Place> => ({
  json: JSON.stringify({
    follower: `ext:${follower}`,
    followee: `ext:${followee}`,
    idempotency_key: keyOf('follow', follower, followee),
  }),
  values: 4,
  place,
})

function postItem({
  place,
  author,
  content,
  custom,
  visibility,
  ref,
  fingerprint,
}: PostInput): BatchItem<Place> {
  const item = JSON.stringify({
    author: `ext:${author}`,
    content,
    visibility: VISIBILITIES[visibility],
    client_ref: ref,
    idempotency_key: `import-post-${fingerprint}`,
  })
  // `custom` is JSON text already. Each of its values takes two characters at least.
  const json = custom === undefined ? item : `${item.slice(0, -1)},"custom":${custom}}`
  return { json, values: 8 + (custom?.length ?? 0) / 2, place }
}

/** The same for the same item in every run. */
const keyOf = (what: string, ...parts: readonly (string | undefined)[]): string =>
  `import-${what}-${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`

/** The rows that were left out before anything was sent, and the items that the server refused. */
function both(before: Problems, refused: Problems): Problems {
  const byKind = new Map(before.byKind)
  for (const [kind, times] of refused.byKind) byKind.set(kind, (byKind.get(kind) ?? 0) + times)
  return { ...before, total: before.total + refused.total, byKind, firstOf: before.firstOf }
}
