/** The LevelDB store: the conformance suite, and faults that only a store on a disk can have. */

import { type ChildProcess, spawn } from 'node:child_process'
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryFolder } from '../../../support/memory-folder.ts'
import type { RivuletError } from '../../../../src/core/errors.ts'
import { createRandom } from '../../../../src/ports/env/random.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { createSimulatedEnv } from '../../../../src/ports/env/simulated.ts'
import { expectCode, scanAll, storeConformance } from '../../../../src/ports/store/conformance.ts'
import { openLevelStore } from '../../../../src/ports/store/leveldb/leveldb.ts'
import type { Row, Store } from '../../../../src/ports/store/store.ts'
import { claimOf, hasGroup, heads, posts, rowsOf } from './rows.ts'
import { bundled } from '../../../support/bundle.ts'

let root: string
beforeAll(async () => {
  root = await memoryFolder('rivulet-store-')
})
afterAll(() => rm(root, { recursive: true, force: true }))

const onFatal = (error: RivuletError) => {
  throw error
}
const open = (folder: string): Promise<Store> => openLevelStore({ env: createRealEnv(), folder, onFatal })

storeConformance({
  name: 'leveldb',
  open: ({ place, env }) => openLevelStore({ env, folder: join(root, place), onFatal }),
})

const children = new Set<ChildProcess>()
afterAll(() => children.forEach((child) => child.kill('SIGKILL')))

const CHILD = await bundled(join(import.meta.dirname, 'child.ts'))

/** Runs a child until it has printed `untilLine`, or to its end. `kill` sends SIGKILL and waits. */
async function startChild(
  mode: 'hold' | 'write',
  args: string[],
  untilLine?: RegExp,
  fileBlocksMax?: number,
) {
  const node = [process.execPath, CHILD, mode, ...args]
  const limited = ['-c', `trap '' XFSZ; ulimit -f ${fileBlocksMax}; exec "$@"`, 'bash', ...node]
  const child =
    fileBlocksMax === undefined
      ? spawn(node[0], node.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('bash', limited, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  const lines: string[] = []
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const reached = new Promise<void>((resolve) => {
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      const parts = (rest + data).split('\n')
      rest = parts.pop() ?? ''
      lines.push(...parts)
      if (untilLine !== undefined && parts.some((line) => untilLine.test(line))) resolve()
    })
  })
  await Promise.race([reached, ended])
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return { lines, kill }
}

/** The test runner compares lines much faster than buffers. */
const toLine = ({ partition, sort, version, value }: Row): string =>
  [partition, sort, version, Buffer.from(value).toString('hex')].join(' ')

const lastOf = (lines: readonly string[], word: string): number =>
  Math.max(
    0,
    ...lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.split(' ')[1])),
  )

describe('processes', () => {
  test('kill -9, again and again: checkpoints and claims stand, groups are whole', async () => {
    const folder = join(root, 'killed')
    let first = 1
    for (const checkpoints of [1, 3, 8]) {
      const child = await startChild(
        'write',
        [folder, String(first)],
        new RegExp(`^claim ${first + checkpoints * 13}$`),
      )
      await child.kill()
      const checkpoint = lastOf(child.lines, 'checkpoint')
      const claim = lastOf(child.lines, 'claim')
      expect(checkpoint).toBeGreaterThan(0)

      const store = await open(folder)
      const [watermark] = await store.watermark()
      expect(watermark).toBeGreaterThanOrEqual(checkpoint)
      for (let version = 1; version <= claim + 50; version++) {
        expect((await hasGroup(store, version)) || version > watermark).toBe(true)
        const [row] = await store.get([claimOf(version)])
        expect(row !== undefined || version > claim).toBe(true)
      }
      await store.close()
      first = claim + 1
    }
  })

  test('a second process is refused, and let in when the first was killed', async () => {
    const folder = join(root, 'shared')
    const holder = await startChild('hold', [folder], /^open$/)
    await expectCode(open(folder), 'data_locked')
    expect((await startChild('hold', [folder])).lines).toEqual(['error data_locked'])
    await holder.kill()
    const store = await open(folder)
    await expectCode(open(folder), 'data_locked')
    // The refusal within one process must not weaken the lock against other processes.
    expect((await startChild('hold', [folder])).lines).toEqual(['error data_locked'])
    await store.close()
  })

  test('a disk that takes no more ends the store: one alarm, and every later call is refused', async () => {
    const folder = join(root, 'full')
    const child = await startChild('write', [folder], undefined, 150)
    const end = child.lines.filter((line) => !/^(claim|checkpoint|open)/.test(line))
    expect(end).toEqual(['fatal disk_error', 'refused disk_error', 'later disk_error'])
    const store = await open(folder)
    for (let version = 1; version <= lastOf(child.lines, 'checkpoint'); version++) {
      expect(await hasGroup(store, version)).toBe(true)
    }
    expect((await store.get([claimOf(lastOf(child.lines, 'claim'))]))[0]).toBeDefined()
    await store.close()
  })
})

describe('damage', () => {
  const CHECKPOINTED = 60
  const WRITTEN = 130
  let intact: string
  let walName: string
  let walBytes: number
  let copies = 0

  beforeAll(async () => {
    intact = join(root, 'intact')
    const store = await open(intact)
    for (let version = 1; version <= CHECKPOINTED; version++) {
      await store.write(rowsOf(version))
      if (version === 30) await store.checkpoint([30])
    }
    await store.checkpoint([CHECKPOINTED])
    // Out of order, so that the file has batches of both kinds of writes.
    for (let step = CHECKPOINTED + 1; step <= WRITTEN; step++) {
      await store.write(rowsOf(step % 2 === 0 ? step - 1 : step + 1))
      // From here on every row is below the highest version: if the write with that version is lost, the others must record it.
      if (step === 80)
        await store.write(rowsOf(80).map((row) => ({ ...row, partition: 'ahead', version: 1_000 })))
    }
    await store.close()
    const wals = (await readdir(intact)).filter((name) => name.endsWith('.log'))
    expect(wals.length).toBe(1)
    walName = wals[0]
    walBytes = (await readFile(join(intact, walName))).length
    // Several blocks of LevelDB's format: damage loses the rest of a block.
    expect(walBytes).toBeGreaterThan(3 * 32_768)
  })

  const copyIntact = async (): Promise<string> => {
    const folder = join(root, `damaged-${copies++}`)
    await cp(intact, folder, { recursive: true })
    return folder
  }

  /** @returns how many of the groups after the checkpoint are still there */
  async function examine(folder: string): Promise<number> {
    const store = await open(folder)
    expect([[30], [CHECKPOINTED]]).toContainEqual(await store.watermark())
    let survivors = 0
    for (let version = 1; version <= WRITTEN; version++) {
      const isThere = await hasGroup(store, version)
      expect(isThere || version > CHECKPOINTED, `group ${version}`).toBe(true)
      if (isThere && version > CHECKPOINTED) survivors++
    }
    await expectNoneReplaceable(store)
    await store.close()
    await rm(folder, { recursive: true })
    return survivors
  }

  /** Whatever was lost, the store must still know that its rows are newer than this write. */
  async function expectNoneReplaceable(store: Store): Promise<void> {
    for (const table of [posts, heads]) {
      const before = await scanAll(store, table, 1_000)
      const value = Buffer.from('old')
      await store.write(before.map((row) => ({ ...row, version: row.version - 1, value })))
      const after = await scanAll(store, table, 1_000)
      expect(after.map(toLine)).toEqual(before.map(toLine))
    }
  }

  test('a write-ahead file cut anywhere costs at most what came after the checkpoint', async () => {
    const random = createRandom(1)
    const lengths = [0, 1, 6, 7, 8, 60, 32_768, walBytes - 1]
    while (lengths.length < 60) lengths.push(Math.floor(random() * walBytes))
    const survivors: number[] = []
    for (const length of lengths.sort((a, b) => a - b)) {
      const folder = await copyIntact()
      await truncate(join(folder, walName), length)
      survivors.push(await examine(folder))
    }
    expect(survivors[0]).toBe(0)
    expect(survivors).toEqual(survivors.toSorted((a, b) => a - b))
    expect(survivors.at(-1)).toBeGreaterThan(60)
  })

  test('a bit flipped anywhere in it costs some groups, each as a whole', async () => {
    const random = createRandom(2)
    const places = Array.from({ length: 80 }, (_, index) =>
      index < 30 ? index : Math.floor(random() * walBytes),
    )
    let fewest = WRITTEN
    for (const place of places) {
      const folder = await copyIntact()
      const wal = await readFile(join(folder, walName))
      wal[place] ^= 1 << Math.floor(random() * 8)
      await writeFile(join(folder, walName), wal)
      fewest = Math.min(fewest, await examine(folder))
    }
    expect(fewest).toBeLessThan(WRITTEN - CHECKPOINTED)
  })

  test('a lost write-ahead file costs no checkpointed row', async () => {
    const folder = await copyIntact()
    await rm(join(folder, walName))
    expect(await examine(folder)).toBe(0)
  })

  test('a store with a part missing is refused and left as it is', async () => {
    const parts = [
      'CURRENT',
      (name: string) => name.startsWith('MANIFEST'),
      (name: string) => name.endsWith('.ldb'),
    ]
    for (const part of parts) {
      const folder = await copyIntact()
      const names = await readdir(folder)
      // Removes all files of a kind: a compaction that the kill ended may have left a table that is not referenced.
      const lost = names.filter(typeof part === 'string' ? (name) => name === part : part)
      for (const name of lost) await rm(join(folder, name))
      await expectCode(open(folder), 'data_corrupt')
      await expectCode(open(folder), 'data_corrupt')
      for (const name of lost) await cp(join(intact, name), join(folder, name))
      expect(await examine(folder)).toBe(WRITTEN - CHECKPOINTED)
    }
  })

  test('a flipped bit in the list of files is refused', async () => {
    const folder = await copyIntact()
    const name = (await readdir(folder)).find((each) => each.startsWith('MANIFEST'))!
    const manifest = await readFile(join(folder, name))
    manifest[30] ^= 4
    await writeFile(join(folder, name), manifest)
    await expectCode(open(folder), 'data_corrupt')
  })
})

test('a checkpoint puts every row into synced tables: they are there without any write-ahead file', async () => {
  const folder = join(root, 'flushed')
  const store = await open(folder)
  for (let version = 1; version <= 200; version++) await store.write(rowsOf(version))
  await store.checkpoint([200])
  await store.close()
  for (const name of await readdir(folder)) if (name.endsWith('.log')) await rm(join(folder, name))
  const again = await open(folder)
  for (let version = 1; version <= 200; version++) expect(await hasGroup(again, version)).toBe(true)
  await again.close()
})

test('the sweep removes the remains of ended rows, and only those', async () => {
  const folder = join(root, 'swept')
  const hourMs = 3_600_000
  const simulated = createSimulatedEnv({ seed: 1, startMs: 1_800_000_000_000 })
  let timers = 0
  const env = {
    ...simulated,
    timer: (...args: Parameters<typeof simulated.timer>) => (timers++, simulated.timer(...args)),
  }
  const store = await openLevelStore({ env, folder, onFatal })
  const row = (sort: string, version: number, inMs?: number) => ({
    table: posts,
    partition: 'p',
    sort,
    version,
    value: Buffer.from(sort),
    ...(inMs !== undefined && { expiresAtMs: simulated.wallMs() + inMs }),
  })
  const ended = Array.from({ length: 1_000 }, (_, index) => row(`ended-${index}`, 1, 1_000))
  await store.write([
    ...ended,
    row('later', 1, 9 * hourMs),
    row('revived', 1, 1_000),
    row('prolonged', 1, 1_000),
  ])
  await store.write([row('revived', 2), row('prolonged', 2, 9 * hourMs), row('plain', 2)])

  for (let round = 0; round < 2; round++) {
    const before = timers
    simulated.advance(2 * hourMs)
    while (timers === before) await env.yield()
  }
  await store.close()

  const db = new ClassicLevel<string, Buffer>(folder, { valueEncoding: 'buffer' })
  const keys = (await db.keys().all()).map((key) => key.split('\0'))
  await db.close()
  const rows = keys.filter(([table]) => table === 'posts').map(([, , sort]) => sort)
  expect(rows).toEqual(['later', 'plain', 'prolonged', 'revived'])
  const ends = keys.filter(([empty, kind]) => empty === '' && kind === 'e')
  expect(ends.map((key) => key.at(-1))).toEqual(['later', 'prolonged'])
})
