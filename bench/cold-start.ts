/**
 * All readers come at once to a server that has just started: 1,000 readers with 300 follows each open their feeds, after
 * a crash (no timelines) and after a clean stop (timelines as before), while a few warm readers go on reading. A reader
 * that is refused asks again after the time that it is told. The reference is the bare cost of reading each outbox once
 * from the same store.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRivuletError } from '../src/core/errors.ts'
import { u32Key } from '../src/core/keys.ts'
import { kindOf, newPostRow, outboxTable, postsTable } from '../src/feed/index.ts'
import { createRivulet, type Rivulet } from '../src/index.ts'
import { openSegmentLog } from '../src/ports/log/segments/segments.ts'
import { createRealEnv } from '../src/ports/env/real.ts'
import { openLevelStore } from '../src/ports/store/leveldb/leveldb.ts'
import { rowVersion, type RowWrite, type Store } from '../src/ports/store/store.ts'
import { openMemoryViews } from '../src/ports/views/memory/memory.ts'
import { writeFollowing } from './engine-world.ts'
import { below, createRandomU32 } from './graph.ts'
import { type Bench, type BenchContext, type BenchResult, collectGarbage } from './harness.ts'

interface Size {
  readonly authors: number
  readonly postsAnAuthor: number
  readonly readers: number
  readonly follows: number
}

const WARM_READERS = 20
const WARM_EVERY_MS = 10
const PAGE = 20
const TICK_MS = 10
const VIEWS_BYTES = 2 * 2 ** 30
const GIVE_UP_MS = 300_000

export const coldStart: Bench = {
  name: 'cold-start',
  describe:
    'all readers at once after a start: seconds to the last full page, against reading each outbox once (goal: 1.5 times at most)',
  run,
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const sizes: Size[] = quick
    ? [{ authors: 5_000, postsAnAuthor: 6, readers: 200, follows: 300 }]
    : [
        { authors: 5_000, postsAnAuthor: 6, readers: 1_000, follows: 300 },
        { authors: 100_000, postsAnAuthor: 6, readers: 1_000, follows: 300 },
      ]
  const rows = [
    [
      'authors',
      'start',
      'bare s',
      'last page s',
      'ratio',
      'p50 ms',
      'p99 ms',
      'put off',
      'warm p99 ms',
      'outboxes read',
    ],
  ]
  let last = { seconds: 0, bare: 0 }
  for (const size of sizes) {
    const folder = mkdtempSync(join(tmpdir(), 'rivulet-cold-'))
    try {
      report.progress(`  ${size.authors} authors: building`)
      await build(folder, size)
      for (const after of ['a crash', 'a clean stop'] as const) {
        collectGarbage()
        const bare = await bareCost(folder, size)
        collectGarbage()
        const storm = await measure(folder, size, after)
        rows.push([
          `${size.authors}`,
          `after ${after}`,
          bare.toFixed(2),
          storm.seconds.toFixed(2),
          (storm.seconds / bare).toFixed(2),
          storm.p50Ms.toFixed(0),
          storm.p99Ms.toFixed(0),
          `${storm.putOff}`,
          storm.warmP99Ms.toFixed(1),
          `${storm.loads}`,
        ])
        report.progress(`  ${rows.at(-1)!.join('  ')}`)
        report.line(`pages by tenth of the time, after ${after}: ${storm.byTenth.join(' ')}`)
        if (after === 'a crash') last = { seconds: storm.seconds, bare }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  report.table(rows)
  return {
    ours: last.seconds,
    reference: last.bare,
    ratio: last.seconds / last.bare,
    unit: 's to the last full page after a crash',
    runs: 1,
  }
}

/** Authors have the account numbers from 1 on, and readers the numbers after those. */
const readersOf = ({ authors, readers }: Size) =>
  Array.from({ length: readers + WARM_READERS }, (_, i) => authors + 1 + i)

const FIRST_POST_MS = Date.UTC(2026, 0, 1)
/** Ids as an import makes them: ticks since 2004, with node 0. */
const idAt = (ms: number): number => Math.floor((ms - Date.UTC(2004, 0, 1)) / TICK_MS) * 2 ** 16

async function build(folder: string, size: Size): Promise<void> {
  const { store, close } = await openPorts(folder)
  const random = createRandomU32(7)
  let rows: RowWrite[] = []
  let post = 0
  const version = rowVersion(0, 1)
  for (let round = 0; round < size.postsAnAuthor; round++) {
    for (let author = 1; author <= size.authors; author++) {
      const id = idAt(FIRST_POST_MS + TICK_MS * post++)
      const fields = {
        author,
        visibility: 0,
        content: `post ${post}`,
        custom: undefined,
        clientRef: undefined,
      }
      const row = newPostRow(id, { ...fields, replyTo: 0, replyToAuthor: 0, repostOf: 0, repostOfAuthor: 0 })
      rows.push(postsTable.row(postsTable.key(id), version, row))
      rows.push(outboxTable.row(outboxTable.key(author, id), version, { on: true, kind: kindOf(row) }))
      if (rows.length < 8_000) continue
      await store.write(rows)
      rows = []
    }
  }
  await store.write(rows)
  for (const reader of readersOf(size)) {
    const followees = new Set<number>()
    while (followees.size < size.follows) followees.add(1 + below(random, size.authors))
    await writeFollowing(store, reader, [...followees])
  }
  await store.checkpoint([0])
  await close()
}

async function openPorts(folder: string) {
  const env = createRealEnv()
  const onFatal = (error: unknown) => {
    throw error
  }
  const log = await openSegmentLog({ env, folder: join(folder, 'log'), onFatal, onNotice: () => {} })
  const store = await openLevelStore({ env, folder: join(folder, 'store'), onFatal })
  return {
    env,
    onFatal,
    log,
    store,
    async close() {
      await log.close()
      await store.close()
    },
  }
}

/** Reads each outbox that has followers once, in batches, and does nothing else. */
async function bareCost(folder: string, { authors }: Size): Promise<number> {
  const { store, close } = await openPorts(folder)
  const startMs = performance.now()
  for (let from = 1; from <= authors; from += 1_000) {
    const ranges = Array.from({ length: Math.min(1_000, authors + 1 - from) }, (_, i) => ({
      table: outboxTable,
      partition: u32Key(from + i),
      from: '',
      limit: 64,
    }))
    await (store as Store).range(ranges)
  }
  const seconds = (performance.now() - startMs) / 1_000
  await close()
  return seconds
}

async function measure(folder: string, size: Size, after: 'a crash' | 'a clean stop') {
  const file = join(folder, 'timelines.bin')
  if (after === 'a clean stop') await warmAndStop(folder, file, size)
  const { rivulet, close } = await start(folder, file)
  const all = readersOf(size)
  const [readers, warm] = [all.slice(0, size.readers), all.slice(size.readers)]
  for (const reader of warm) await rivulet.feed.reads.home(reader, { limit: PAGE })
  await rivulet.settle()
  const loadsBefore = rivulet.feed.outboxes.stats.loads
  const beside = readOften(rivulet, warm)
  const startMs = performance.now()
  const doneMs: number[] = []
  let putOff = 0
  await Promise.all(
    readers.map(async (reader) => {
      const times = await untilFull(rivulet, reader, startMs)
      doneMs.push(performance.now() - startMs)
      putOff += times
    }),
  )
  const seconds = (performance.now() - startMs) / 1_000
  const warmMs = await beside.stop()
  const loads = rivulet.feed.outboxes.stats.loads - loadsBefore
  await close('a crash')
  doneMs.sort((a, b) => a - b)
  warmMs.sort((a, b) => a - b)
  const at = (list: readonly number[], share: number) => list[Math.floor((list.length - 1) * share)]
  const byTenth = new Array<number>(10).fill(0)
  for (const ms of doneMs) byTenth[Math.min(9, Math.floor((ms / (seconds * 1_000)) * 10))]++
  return {
    seconds,
    p50Ms: at(doneMs, 0.5),
    p99Ms: at(doneMs, 0.99),
    putOff,
    warmP99Ms: at(warmMs, 0.99),
    loads,
    byTenth,
  }
}

async function start(folder: string, file: string) {
  const ports = await openPorts(folder)
  const views = await openMemoryViews({ bytesMax: VIEWS_BYTES, file, onNotice: () => {} })
  const { onFatal } = ports
  const rivulet = createRivulet({ ...ports, views }, { secret: new Uint8Array(32), onFatal })
  await rivulet.start()
  return {
    rivulet,
    /** A crash is simulated by an end that leaves no timelines behind. */
    async close(how: 'a crash' | 'a clean stop') {
      await rivulet.stop()
      if (how === 'a clean stop') await views.close()
      await ports.close()
    },
  }
}

async function warmAndStop(folder: string, file: string, size: Size): Promise<void> {
  const { rivulet, close } = await start(folder, file)
  for (const reader of readersOf(size)) await untilFull(rivulet, reader, performance.now())
  await rivulet.settle()
  await close('a clean stop')
}

/** @returns how often the reader was refused; throws for a page that is short, or claims to be the last one */
async function untilFull(rivulet: Rivulet, reader: number, sinceMs: number): Promise<number> {
  for (let putOff = 0; ; putOff++) {
    try {
      const page = await rivulet.feed.reads.home(reader, { limit: PAGE })
      if (page.items.length < PAGE || !page.hasMore) throw new Error(`a short page: ${page.items.length}`)
      return putOff
    } catch (error) {
      if (!isRivuletError(error) || error.status !== 503) throw error
      if (performance.now() - sinceMs > GIVE_UP_MS) throw new Error('no page at all')
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? 1_000))
    }
  }
}

/** Latencies count from the moment when each read was due. */
function readOften(rivulet: Rivulet, readers: readonly number[]) {
  const latenciesMs: number[] = []
  const reading: Promise<unknown>[] = []
  let dueMs = performance.now()
  let count = 0
  const timer = setInterval(() => {
    for (; dueMs < performance.now(); dueMs += WARM_EVERY_MS) {
      const sinceMs = dueMs
      const read = rivulet.feed.reads.home(readers[count++ % readers.length], { limit: PAGE })
      reading.push(read.then(() => latenciesMs.push(performance.now() - sinceMs)))
    }
  }, WARM_EVERY_MS)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(reading)
      return latenciesMs
    },
  }
}
