/** Whatever happens to the write-ahead files, an opened store holds a prefix of what was written. */

import { spawn } from 'node:child_process'
import { appendFile, cp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryFolder } from '../../../support/memory-folder.ts'
import type { RivuletError } from '../../../../src/core/errors.ts'
import { createRandom } from '../../../../src/ports/env/random.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { expectCode, scanAll } from '../../../../src/ports/store/conformance.ts'
import { crc32c } from '../../../../src/ports/store/leveldb/crc32c.ts'
import { findWalDamage, mendWal } from '../../../../src/ports/store/leveldb/wal.ts'
import { openLevelStore } from '../../../../src/ports/store/leveldb/leveldb.ts'
import type { Store } from '../../../../src/ports/store/store.ts'
import { posts, rowsOf } from './rows.ts'
import { bundled } from '../../../support/bundle.ts'

const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7

let root: string
let copies = 0
beforeAll(async () => {
  root = await memoryFolder('rivulet-wal-')
})
afterAll(() => rm(root, { recursive: true, force: true }))

const notices: string[] = []
const onNotice = (text: string) => void notices.push(text)
const onFatal = (error: RivuletError) => {
  throw error
}
const open = (folder: string): Promise<Store> =>
  openLevelStore({ env: createRealEnv(), folder, onFatal, onNotice })

interface Batch {
  readonly version: number
  readonly wal: string
  readonly end: number
}

interface Fixture {
  readonly folder: string
  readonly batches: readonly Batch[]
  readonly older: string
  readonly newer: string
}

async function createFixture(checkpointAfter: number): Promise<Fixture> {
  const folder = join(root, `intact-${checkpointAfter}`)
  const script = await bundled(join(import.meta.dirname, 'wal-child.ts'))
  const child = spawn(process.execPath, [script, folder, String(checkpointAfter)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  const batches: Batch[] = []
  try {
    for await (const line of createInterface(child.stdout)) {
      const [word, version, wal, end] = line.split(' ')
      if (word === 'done') break
      batches.push({ version: Number(version), wal, end: Number(end) })
    }
    await expectUntouchedWhileInUse(folder, batches.at(-1)!.wal)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
  for (const name of await readdir(folder)) {
    if ((await stat(join(folder, name))).isFIFO()) await rm(join(folder, name))
  }
  return { folder, batches, older: batches[0].wal, newer: batches.at(-1)!.wal }
}

/** A write of another process under way may look like damage. */
async function expectUntouchedWhileInUse(folder: string, wal: string): Promise<void> {
  const path = join(folder, wal)
  const before = await readFile(path)
  await appendFile(path, 'half a batch')
  for (let round = 0; round < 2; round++) await expectCode(open(folder), 'data_locked')
  expect((await stat(path)).size).toBe(before.length + 12)
  await truncate(path, before.length)
}

const copyOf = async ({ folder }: Fixture): Promise<string> => {
  const copy = join(root, `copy-${copies++}`)
  await cp(folder, copy, { recursive: true })
  return copy
}

/** @returns the version up to which all rows are there; fails if any row above it is; removes the folder */
async function examine(folder: string): Promise<number> {
  const store = await open(folder)
  const rows = new Map<number, number>()
  for (const { version, partition } of await scanAll(store, posts, 10_000)) {
    if (partition !== 'long') rows.set(version, (rows.get(version) ?? 0) + 1)
  }
  let last = 0
  while (rows.get(last + 1) === rowsOf(1).length - 1) last++
  expect([...rows.keys()].filter((version) => version > last)).toEqual([])
  // Later writes must not be mistaken for damage.
  await store.write(rowsOf(last + 1))
  await store.close()
  expect(await findWalDamage(folder)).toBeUndefined()
  await rm(folder, { recursive: true })
  return last
}

/** The last version whose rows are all before a place in a file. */
const wholeBefore = ({ batches }: Fixture, wal: string, place: number): number =>
  batches.filter((batch) => batch.wal < wal || (batch.wal === wal && batch.end <= place)).at(-1)?.version ??
  batches[0].version - 1

const lastIn = ({ batches }: Fixture, wal: string): number =>
  batches.filter((batch) => batch.wal === wal).at(-1)!.version

const contentOf = async (folder: string): Promise<Map<string, string>> => {
  const names = (await readdir(folder)).sort()
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')))
  return new Map(names.map((name, index) => [name, texts[index]]))
}

async function flipBit(path: string, place: number, bit: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[place] ^= 1 << bit
  await writeFile(path, bytes)
}

test('CRC-32C has its published check value', () => {
  expect(crc32c(Buffer.from('-123456789-'), 1, 10)).toBe(0xe3069283)
  expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa)
})

describe.each([
  { name: 'since a checkpoint', checkpointAfter: 45 },
  { name: 'since the opening', checkpointAfter: 0 },
])('two live write-ahead files $name', ({ checkpointAfter }) => {
  let fixture: Fixture
  let olderBytes: number
  let newerBytes: number
  let newest: number

  beforeAll(async () => {
    fixture = await createFixture(checkpointAfter)
    const { folder, older, newer, batches } = fixture
    newest = batches.at(-1)!.version
    olderBytes = (await stat(join(folder, older))).size
    newerBytes = (await stat(join(folder, newer))).size
    expect(older < newer).toBe(true)
    expect(Math.min(olderBytes, newerBytes)).toBeGreaterThan(4 * BLOCK_BYTES)
    expect(batches.every((batch) => batch.wal === older || batch.wal === newer)).toBe(true)
  })

  const wals = () => [
    { wal: fixture.older, bytes: olderBytes },
    { wal: fixture.newer, bytes: newerBytes },
  ]

  test('undamaged: every byte stays, every batch is replayed', async () => {
    const folder = await copyOf(fixture)
    const before = await contentOf(folder)
    expect(await findWalDamage(folder)).toBeUndefined()
    await mendWal(folder, onNotice)
    expect(await contentOf(folder)).toEqual(before)
    expect(await examine(folder)).toBe(newest)
    expect(notices.splice(0)).toEqual([])
  })

  test('cut anywhere: exactly the whole batches before stay', async () => {
    const random = createRandom(checkpointAfter + 1)
    for (const { wal, bytes } of wals()) {
      const ends = fixture.batches.filter((batch) => batch.wal === wal).map((batch) => batch.end)
      const places = [0, 1, 7, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, bytes - 1]
      places.push(ends[0], ends[8] - 1, ends[8], ends[8] + 1)
      while (places.length < 30) places.push(Math.floor(random() * bytes))
      for (const place of places) {
        const folder = await copyOf(fixture)
        await truncate(join(folder, wal), place)
        expect(await examine(folder), `${wal} cut at ${place}`).toBe(wholeBefore(fixture, wal, place))
      }
    }
    expect(notices.splice(0).length).toBeGreaterThan(40)
  })

  test('a bit flipped anywhere: exactly the whole batches before stay', async () => {
    const random = createRandom(checkpointAfter + 2)
    for (const { wal, bytes } of wals()) {
      const ends = fixture.batches.filter((batch) => batch.wal === wal).map((batch) => batch.end)
      const places = [0, 4, 5, 6, 7, 15, ends[3] + 6, bytes - 1]
      while (places.length < 50) places.push(Math.floor(random() * bytes))
      for (const place of places) {
        const folder = await copyOf(fixture)
        const bit = Math.floor(random() * 8)
        await flipBit(join(folder, wal), place, bit)
        const whole = wholeBefore(fixture, wal, place)
        const isPadding = place % BLOCK_BYTES > BLOCK_BYTES - HEADER_BYTES
        const last = await examine(folder)
        expect(isPadding && last === newest ? whole : last, `${wal} bit ${bit} of ${place}`).toBe(whole)
      }
    }
    expect(notices.splice(0).length).toBeGreaterThan(90)
  })

  test('a bit flipped where a batch begins or ends is not taken for another batch', async () => {
    const random = createRandom(checkpointAfter + 3)
    for (const { wal, end } of fixture.batches.filter((_, index) => index % 9 === 0)) {
      const place = end - 1 - Math.floor(random() * 20)
      const folder = await copyOf(fixture)
      await flipBit(join(folder, wal), place, 0)
      expect(await examine(folder), `${wal} at ${place}`).toBe(wholeBefore(fixture, wal, place))
    }
    notices.length = 0
  })

  test('a hole of zeros is damage, zeros to the end of a file are not', async () => {
    const { older, newer } = fixture
    for (const wal of [older, newer]) {
      const folder = await copyOf(fixture)
      await appendFile(join(folder, wal), Buffer.alloc(3 * BLOCK_BYTES + 5))
      const before = await contentOf(folder)
      await mendWal(folder, onNotice)
      expect(await contentOf(folder)).toEqual(before)
      expect(await examine(folder)).toBe(newest)
    }
    expect(notices).toEqual([])
    for (const { wal, bytes } of wals()) {
      for (const [from, to] of [
        [BLOCK_BYTES, 2 * BLOCK_BYTES],
        [2 * BLOCK_BYTES + 4_096, 2 * BLOCK_BYTES + 8_192],
        [BLOCK_BYTES * 3, bytes],
      ]) {
        const folder = await copyOf(fixture)
        const content = await readFile(join(folder, wal))
        await writeFile(join(folder, wal), content.fill(0, from, to))
        expect(await examine(folder), `${wal} zero from ${from}`).toBe(wholeBefore(fixture, wal, from))
      }
    }
    const folder = await copyOf(fixture)
    await appendFile(join(folder, newer), Buffer.concat([Buffer.alloc(2 * BLOCK_BYTES), Buffer.of(1)]))
    expect(await examine(folder)).toBe(newest)
    expect(notices.splice(0).length).toBeGreaterThan(1)
  })

  test('a lost file takes the later ones with it', async () => {
    const { older, newer } = fixture
    const lost = await copyOf(fixture)
    await rm(join(lost, older))
    expect(await examine(lost)).toBe(checkpointAfter)
    const both = await copyOf(fixture)
    await rm(join(both, older))
    await rm(join(both, newer))
    expect(await examine(both)).toBe(checkpointAfter)
    notices.length = 0
  })

  test('mending tells what it did, can be interrupted, and is done once', async () => {
    const { older, newer } = fixture
    const folder = await copyOf(fixture)
    await flipBit(join(folder, older), 70_000, 3)
    // As if it had been interrupted after its first step.
    const copy = `${folder}-interrupted`
    await cp(folder, copy, { recursive: true })
    await rm(join(copy, newer))

    await mendWal(folder, onNotice)
    expect(notices.length).toBe(1)
    for (const part of [older, newer, 'cut']) expect(notices[0]).toContain(part)
    const mended = await contentOf(folder)
    await mendWal(folder, onNotice)
    expect(await contentOf(folder)).toEqual(mended)
    expect(mended.has(newer)).toBe(false)
    expect(await examine(folder)).toBe(wholeBefore(fixture, older, 70_000))
    expect(notices.splice(0).length).toBe(1)
    expect(await examine(copy)).toBe(wholeBefore(fixture, older, 70_000))
    expect(notices.splice(0).length).toBe(1)
  })

  test('a folder copied without its lock file is mended too, and nothing foreign is left in it', async () => {
    const folder = await copyOf(fixture)
    await rm(join(folder, 'LOCK'), { force: true })
    await truncate(join(folder, fixture.newer), newerBytes - 1)
    const store = await open(folder)
    expect(notices.splice(0).length).toBe(1)
    await store.close()
    expect((await readdir(folder)).filter((name) => name.startsWith('mending'))).toEqual([])
    expect(await examine(folder)).toBe(newest - 1)
  })

  test('an unfinished edit at the end of the MANIFEST does not hide the damage', async () => {
    const { older } = fixture
    for (const tail of [Buffer.of(1, 2, 3), Buffer.of(9, 9, 9, 9, 200, 0, 1, 7), Buffer.alloc(5_000)]) {
      const folder = await copyOf(fixture)
      await appendFile(join(folder, await manifestOf(folder)), tail)
      await flipBit(join(folder, older), 100_000, 1)
      expect(await examine(folder)).toBe(wholeBefore(fixture, older, 100_000))
    }
    notices.length = 0
  })

  test('where LevelDB refuses the folder, the write-ahead files stay as they are', async () => {
    const damages = [
      async (folder: string) => flipBit(join(folder, await manifestOf(folder)), 20, 2),
      async (folder: string) => rm(join(folder, await manifestOf(folder))),
      async (folder: string) => writeFile(join(folder, 'CURRENT'), 'MANIFEST'),
    ]
    const table = (await readdir(fixture.folder)).find((name) => name.endsWith('.ldb'))
    expect(table !== undefined).toBe(checkpointAfter > 0)
    if (table !== undefined) damages.push((folder) => rm(join(folder, table)))
    for (const damage of damages) {
      const folder = await copyOf(fixture)
      await truncate(join(folder, fixture.older), 100_000)
      await damage(folder)
      const before = await contentOf(folder)
      await expectCode(open(folder), 'data_corrupt')
      const after = await contentOf(folder)
      for (const wal of [fixture.older, fixture.newer]) expect(after.get(wal) === before.get(wal)).toBe(true)
    }
    expect(notices).toEqual([])
  })

  test('an empty older file is damage unless it was empty from the opening on', async () => {
    const { older, newer } = fixture
    const folder = await copyOf(fixture)
    await rename(join(folder, older), join(folder, newer))
    await writeFile(join(folder, older), '')
    expect(await examine(folder)).toBe(checkpointAfter === 0 ? lastIn(fixture, older) : checkpointAfter)
    expect(notices.splice(0).length).toBe(checkpointAfter === 0 ? 0 : 1)
  })
})

const manifestOf = async (folder: string): Promise<string> =>
  (await readdir(folder)).find((name) => name.startsWith('MANIFEST'))!
