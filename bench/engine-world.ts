/** A whole engine on a scratch folder, whose follow graph is written straight into rows. Benches run on it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRivulet, type Rivulet } from '../src/index.ts'
import {
  bucketOf,
  followerHeadsTable,
  followerLeavesTable,
  followerTotalsTable,
  followingPackedTable,
  packFollowers,
} from '../src/graph/index.ts'
import type { Log } from '../src/ports/log/log.ts'
import { openSegmentLog } from '../src/ports/log/segments/segments.ts'
import { createRealEnv } from '../src/ports/env/real.ts'
import { openLevelStore } from '../src/ports/store/leveldb/leveldb.ts'
import { rowVersion, type RowWrite, type Store } from '../src/ports/store/store.ts'
import { createMemoryViews } from '../src/ports/views/memory/memory.ts'
import type { Views } from '../src/ports/views/views.ts'
import type { Graph } from './graph.ts'

export interface EngineWorld {
  readonly rivulet: Rivulet
  readonly log: Log
  readonly store: Store
  readonly views: Views
  /** Opens another log of the same kind on the same disk, for references that only need durable appends. */
  openLog(): Promise<Log>
  close(): Promise<void>
}

const VIEWS_BYTES = 8 * 2 ** 30
const ROWS_A_WRITE = 4_000

export async function openEngineWorld(graph?: Graph, viewsBytesMax = VIEWS_BYTES): Promise<EngineWorld> {
  const env = createRealEnv()
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-bench-'))
  const onFatal = (error: unknown) => {
    throw error
  }
  const logOptions = { env, onFatal, onNotice: () => {} }
  const log = await openSegmentLog({ ...logOptions, folder: join(folder, 'log') })
  const store = await openLevelStore({ env, folder: join(folder, 'store'), onFatal })
  const views = createMemoryViews({ bytesMax: viewsBytesMax })
  if (graph !== undefined) await writeGraph(store, graph)
  const rivulet = createRivulet({ env, log, store, views }, { secret: new Uint8Array(32), onFatal })
  await rivulet.start()
  if (graph !== undefined) await openTimelines(views, graph.accounts)
  return {
    rivulet,
    log,
    store,
    views,
    openLog: () => openSegmentLog({ ...logOptions, folder: mkdtempSync(join(folder, 'log-')) }),
    async close() {
      await rivulet.stop()
      await Promise.all([log.close(), store.close(), views.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Account `a` of the graph has the account number `a + 1`. */
export const numberOf = (account: number): number => account + 1

async function writeGraph(store: Store, graph: Graph): Promise<void> {
  const version = rowVersion(0, 1)
  let rows: RowWrite[] = []
  const flush = async () => {
    await store.write(rows)
    rows = []
  }
  for (let author = 0; author < graph.accounts; author++) {
    const numbers = graph.followers
      .slice(graph.starts[author], graph.starts[author + 1])
      .map(numberOf)
      .sort()
    if (numbers.length > 0) rows.push(...followerRows(numberOf(author), numbers, version))
    if (rows.length >= ROWS_A_WRITE) await flush()
  }
  await flush()
}

function followerRows(followee: number, numbers: Uint32Array, version: number): RowWrite[] {
  const rows: RowWrite[] = []
  const buckets: number[] = []
  const counts: number[] = []
  for (let at = 0; at < numbers.length;) {
    const bucket = bucketOf(numbers[at])
    let end = at
    while (end < numbers.length && bucketOf(numbers[end]) === bucket) end++
    const { head, leaves } = packFollowers(numbers.slice(at, end))
    rows.push(followerHeadsTable.row(followerHeadsTable.key(followee, bucket), version, head))
    for (const leaf of leaves) {
      const key = followerLeavesTable.key(followee, bucket, leaf.start)
      rows.push(followerLeavesTable.row(key, version, leaf.numbers))
    }
    buckets.push(bucket)
    counts.push(end - at)
    at = end
  }
  const totals = { buckets: Uint32Array.from(buckets), counts: Uint32Array.from(counts) }
  rows.push(followerTotalsTable.row(followerTotalsTable.key(followee), version, totals))
  return rows
}

/** Writes whom one reader follows, in the form that an import writes. */
export async function writeFollowing(
  store: Store,
  reader: number,
  followees: readonly number[],
): Promise<void> {
  const numbers = Uint32Array.from(followees).sort()
  const ids = new Float64Array(numbers.length).fill(1)
  const key = followingPackedTable.key(reader, numbers[0])
  await store.write([followingPackedTable.row(key, rowVersion(0, 1), { numbers, ids })])
}

async function openTimelines(views: Views, accounts: number): Promise<void> {
  for (let from = 0; from < accounts; from += 10_000) {
    const owners = Array.from({ length: Math.min(10_000, accounts - from) }, (_, i) => numberOf(from + i))
    const epochs = await views.open(owners)
    for (let i = 0; i < owners.length; i++) await views.settle(owners[i], epochs[i], 0)
  }
}
