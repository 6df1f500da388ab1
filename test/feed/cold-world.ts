/** A deployment as an import leaves it: authors with posts, readers who follow many of them, and no timelines. */

import { EPOCH_MS, TICK_MS } from '../../src/core/ids.ts'
import { kindOf, newPostRow, outboxTable, postsTable } from '../../src/feed/index.ts'
import { followingPackedTable } from '../../src/graph/index.ts'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import type { Env } from '../../src/ports/env/env.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { rowVersion, type RowWrite, type Store } from '../../src/ports/store/store.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import type { Views } from '../../src/ports/views/views.ts'

export interface ColdSize {
  readonly authors: number
  readonly postsAnAuthor: number
  readonly readers: number
  readonly follows: number
}

export interface ColdWorld {
  readonly rivulet: Rivulet
  readonly readers: readonly number[]
  /** The posts of the reader's followees, newest first. */
  feedOf(reader: number): readonly number[]
  stop(): Promise<void>
}

const FIRST_MS = Date.UTC(2026, 0, 1)
const VIEWS_BYTES = 64 * 2 ** 20
const ID_TICK = 2 ** 16
const ROWS_A_WRITE = 4_000
/** Coprime to all the numbers of authors used. */
const STRIDE = 7

/** Readers have the numbers behind those of the authors; each follows a part of them, which overlaps with others'. */
const followeesOf = ({ authors, follows }: ColdSize, at: number): number[] =>
  Array.from({ length: follows }, (_, i) => 1 + ((at * 13 + i * STRIDE) % authors))

export async function fillStore(store: Store, size: ColdSize): Promise<Map<number, number[]>> {
  const version = rowVersion(0, 1)
  const byAuthor = new Map<number, number[]>()
  let rows: RowWrite[] = []
  for (let post = 0; post < size.authors * size.postsAnAuthor; post++) {
    const author = 1 + (post % size.authors)
    const id = ((FIRST_MS - EPOCH_MS) / TICK_MS + post) * ID_TICK
    const row = newPostRow(id, {
      author,
      visibility: 0,
      content: 'x',
      custom: undefined,
      clientRef: undefined,
      replyTo: 0,
      replyToAuthor: 0,
      repostOf: 0,
      repostOfAuthor: 0,
    })
    rows.push(postsTable.row(postsTable.key(id), version, row))
    rows.push(outboxTable.row(outboxTable.key(author, id), version, { on: true, kind: kindOf(row) }))
    byAuthor.set(author, [...(byAuthor.get(author) ?? []), id])
    if (rows.length < ROWS_A_WRITE) continue
    await store.write(rows)
    rows = []
  }
  for (let at = 0; at < size.readers; at++) {
    const numbers = Uint32Array.from(followeesOf(size, at)).sort()
    const key = followingPackedTable.key(size.authors + 1 + at, numbers[0])
    rows.push(
      followingPackedTable.row(key, version, { numbers, ids: new Float64Array(numbers.length).fill(1) }),
    )
  }
  await store.write(rows)
  return byAuthor
}

export interface ColdOptions {
  readonly env?: Env
  readonly views?: Views
  readonly wrap?: (store: Store) => Store
}

export async function openColdWorld(size: ColdSize, options: ColdOptions = {}): Promise<ColdWorld> {
  const { env = createRealEnv(), wrap = (store: Store) => store } = options
  const store = createMemoryStore({ env })
  const byAuthor = await fillStore(store, size)
  const log = createMemoryLog({ env, partitions: 1 })
  const views = options.views ?? createMemoryViews({ bytesMax: VIEWS_BYTES })
  const onFatal = (error: unknown) => {
    throw error
  }
  const rivulet = createRivulet(
    { env, log, store: wrap(store), views },
    { secret: new Uint8Array(32), onFatal },
  )
  await rivulet.start()
  return {
    rivulet,
    readers: Array.from({ length: size.readers }, (_, at) => size.authors + 1 + at),
    feedOf: (reader) =>
      followeesOf(size, reader - size.authors - 1)
        .flatMap((author) => byAuthor.get(author) ?? [])
        .sort((a, b) => b - a),
    stop: rivulet.stop,
  }
}
