/** Timelines that a clean stop saves for the next process, which gets the same ones, or none. */

import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRandom } from '../../../src/ports/env/random.ts'
import { openMemoryViews, type MemoryViews } from '../../../src/ports/views/memory/memory.ts'
import type { Keep } from '../../../src/ports/views/views.ts'

const CAPACITY = 20
const OWNERS = [1, 2, 3, 8_191, 8_192, 500_000, 2 ** 32 - 1]
const BYTES = 64 * 2 ** 20

let folder: string
let notices: string[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rivulet-snapshot-'))
  notices = []
})
afterEach(() => rm(folder, { recursive: true }))

const file = () => join(folder, 'timelines')
const open = (lanes = 2, keep: Keep = 'all') =>
  openMemoryViews({
    bytesMax: BYTES,
    capacity: CAPACITY,
    lanes,
    keep,
    file: file(),
    onNotice: (text) => notices.push(text),
  })

/** Some settled timelines, some of them trimmed, and one that a rebuild left unsettled. */
async function fill(views: MemoryViews): Promise<void> {
  const random = createRandom(5)
  const epochs = await views.open(OWNERS)
  for (const [i, owner] of OWNERS.entries()) {
    for (let n = 0; n < i * 8; n++) {
      const id = Math.floor(random() * 2 ** 50) + 1
      await views.insert([{ id, ref: i, kind: n, owners: Uint32Array.of(owner) }])
    }
    if (i > 0) await views.settle(owner, epochs[i], i)
  }
  await views.advance(
    new Map([
      [0, 100],
      [1, 200],
    ]),
  )
}

async function contents(views: MemoryViews) {
  const found = []
  for (const owner of OWNERS) {
    const page = await views.range(owner, Infinity, CAPACITY)
    found.push(
      page && {
        floor: page.header.floor,
        horizons: [...Array.from(page.header.horizons)],
        ids: [...page.entries.ids],
        refs: [...page.entries.refs],
        kinds: [...page.entries.kinds],
      },
    )
  }
  return found
}

async function saved(): Promise<ReturnType<typeof contents>> {
  const views = await open()
  await fill(views)
  const before = await contents(views)
  await views.close()
  return before
}

test('the next process has the same timelines, but for one that was not finished', async () => {
  const before = await saved()
  const views = await open()
  expect(
    await views.adopt(
      new Map([
        [0, 100],
        [1, 200],
      ]),
    ),
  ).toBe(true)
  expect(await contents(views)).toEqual([undefined, ...before.slice(1)])
  expect(notices).toEqual([])
})

test('what was told since makes them be given up', async () => {
  await saved()
  const views = await open()
  expect(
    await views.adopt(
      new Map([
        [0, 100],
        [1, 201],
      ]),
    ),
  ).toBe(false)
  expect(views.stats().timelines).toBe(0)
})

test('they are taken once', async () => {
  await saved()
  await open()
  expect((await open()).stats().timelines).toBe(0)
})

test('another number of lanes is another log', async () => {
  await saved()
  expect((await open(3)).stats().timelines).toBe(0)
  expect(notices).toEqual([])
})

const REFS = 6

test('a view of the latest entries is saved and goes on: what is replaced, trimmed and refused stays the same', async () => {
  const views = await open(2, 'latest')
  const [epoch] = await views.open([1])
  await views.settle(1, epoch, 0)
  const insert = (to: MemoryViews, id: number, ref: number) =>
    to.insert([{ id, ref, kind: ref, owners: Uint32Array.of(1) }])
  for (let id = 1; id <= 200; id++) await insert(views, id, id % REFS)
  // Twenty refs have room: one more is trimmed.
  for (let ref = REFS; ref <= CAPACITY; ref++) await insert(views, 300 + ref, ref)
  const before = await contents(views)
  expect(before[0]).toMatchObject({ floor: 195, ids: { length: CAPACITY } })
  await views.close()

  const next = await open(2, 'latest')
  expect(await contents(next)).toEqual(before)
  await insert(next, 199, 200 % REFS)
  expect(await contents(next)).toEqual(before)
  await insert(next, 400, 200 % REFS)
  const ids = [400, ...before[0]!.ids.filter((id) => id !== 200)]
  expect((await contents(next))[0]).toMatchObject({ floor: 195, ids })
})

test('a view that keeps something else is not taken, and nothing is said of it', async () => {
  await saved()
  expect((await open(2, 'latest')).stats().timelines).toBe(0)
  const latest = await open(2, 'latest')
  await fill(latest)
  await latest.close()
  expect((await open()).stats().timelines).toBe(0)
  expect(notices).toEqual([])
})

test('every truncation and every damaged byte is noticed', { timeout: 60_000 }, async () => {
  await saved()
  const whole = await readFile(file())
  const spoilt: Buffer[] = []
  for (let at = 0; at < whole.length; at += 31) {
    spoilt.push(whole.subarray(0, at))
    const flipped = Buffer.from(whole)
    flipped[at] ^= 0x10
    spoilt.push(flipped)
  }
  spoilt.push(Buffer.concat([whole, Buffer.of(0)]))
  for (const bytes of spoilt) {
    await writeFile(file(), bytes)
    const views = await open()
    expect(views.stats().timelines).toBe(0)
    expect(await contents(views)).toEqual(OWNERS.map(() => undefined))
  }
})

test('what is given up is not evicted: there is room for all of it', async () => {
  await saved()
  const views = await open()
  await views.adopt(new Map([[1, 201]]))
  await saved()
  await truncate(file(), 60)
  const others = await open()
  expect([views.stats().evictedTotal, others.stats().evictedTotal]).toEqual([0, 0])
})

test('a file that cannot be read is said to be', async () => {
  await mkdir(file())
  const views = await open()
  expect(views.stats().timelines).toBe(0)
  expect(notices).toEqual([expect.stringMatching(/cannot be read \(.*EISDIR.*timelines are rebuilt/)])
})

test('of one that cannot be written, or whose process was killed, nothing is left', async () => {
  const views = await open()
  await fill(views)
  // The file does not replace a folder that has its name.
  await mkdir(join(file(), 'x'), { recursive: true })
  await views.close()
  expect(await readdir(folder)).toEqual(['timelines'])
  expect(notices).toHaveLength(1)
  await rm(file(), { recursive: true })
  await writeFile(`${file()}.tmp`, 'of an end that was cut short')
  await open()
  expect(await readdir(folder)).toEqual([])
})

test('a folder that is gone keeps nothing, and says so', async () => {
  const views = await open()
  await fill(views)
  await rm(folder, { recursive: true })
  await views.close()
  expect(notices).toHaveLength(1)
  folder = await mkdtemp(join(tmpdir(), 'rivulet-snapshot-'))
})
