import { mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { logConformance } from '../../../../src/ports/log/conformance.ts'
import type { LogCursor } from '../../../../src/ports/log/log.ts'
import { nodeFiles } from '../../../../src/ports/log/segments/files.ts'
import { openSegmentLog } from '../../../../src/ports/log/segments/segments.ts'

const env = createRealEnv()
const newFolder = () => mkdtemp(join(tmpdir(), 'rivulet-log-'))

for (const [name, segmentBytesMax] of [
  ['segments', 64 * 1024 * 1024],
  ['tiny segments', 1_000],
] as const) {
  logConformance({
    name,
    supports: { overload: true },
    async create() {
      const folder = await newFolder()
      return {
        open: () => openSegmentLog({ env, folder, segmentBytesMax, unsyncedBytesMax: 20_000_000 }),
        remove: () => rm(folder, { recursive: true }),
      }
    },
  })
}

describe('the segment log', () => {
  let folder: string
  beforeEach(async () => {
    folder = await newFolder()
  })
  afterEach(() => rm(folder, { recursive: true }))

  const segmentNames = async () => (await readdir(folder)).filter((name) => name.endsWith('.segment')).sort()
  const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `${from + n}`)

  async function fill(count: number, from = 0) {
    const log = await openSegmentLog({ env, folder, segmentBytesMax: 500 })
    const positions: number[] = []
    for (const text of numbers(count, from)) {
      positions.push(...(await log.append([{ key: 1, value: Buffer.from(text) }])))
    }
    return { log, positions }
  }

  async function read(cursor: LogCursor, count: number): Promise<string[]> {
    const values: string[] = []
    while (values.length < count) {
      const batch = await cursor.next(256)
      values.push(...batch!.values.map((value) => Buffer.from(value).toString()))
    }
    return values
  }

  it('begins new segments, named by their positions, and reads across them', async () => {
    const { log } = await fill(100)
    const names = await segmentNames()
    expect(names.length).toBeGreaterThan(5)
    expect(names[0]).toBe('0000000000000000.segment')
    await log.close()
    const { log: again } = await fill(20, 100)
    expect(await read(await again.consumer('g'), 120)).toEqual(numbers(120))
    await again.close()
  })

  it('knows what its files take, as it grows, loses segments, and is opened again', async () => {
    const onDisk = async () => {
      const sizes = (await segmentNames()).map(async (name) => (await stat(join(folder, name))).size)
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    }
    const empty = await openSegmentLog({ env, folder, segmentBytesMax: 500 })
    expect(empty.bytesOnDisk).toBe(await onDisk())
    await empty.close()
    const { log, positions } = await fill(60)
    expect(log.bytesOnDisk).toBe(await onDisk())
    await log.close()
    const old = new Date(env.wallMs() - 10_000)
    for (const name of await segmentNames()) await utimes(join(folder, name), old, old)
    const again = await openSegmentLog({ env, folder, segmentBytesMax: 500, retentionMs: 5_000 })
    expect(again.bytesOnDisk).toBe(await onDisk())
    const before = again.bytesOnDisk
    await again.release([positions[40]])
    expect(again.bytesOnDisk).toBeLessThan(before)
    expect(again.bytesOnDisk).toBe(await onDisk())
    await again.close()
  })

  it('seeks to any record in any segment', async () => {
    const { log, positions } = await fill(60)
    const consumer = await log.consumer('g')
    for (const n of [59, 0, 31, 30, 7]) {
      await consumer.seek(0, positions[n])
      expect((await consumer.next(1))?.positions).toEqual([positions[n]])
    }
    await log.close()
  })

  it('waits for the records above a position that lies behind the end', async () => {
    const { log } = await fill(3)
    const consumer = await log.consumer('g')
    const { end } = (await log.bounds())[0]
    await consumer.seek(0, end + 30)
    const waiting = consumer.next(9)
    await log.append([{ key: 1, value: Buffer.from('below') }])
    await log.append([{ key: 1, value: Buffer.from('above') }])
    expect((await waiting)?.values.map((value) => Buffer.from(value).toString())).toEqual(['above'])
    await log.close()
  })

  it('removes segments that are old, released and read by every group; never the newest', async () => {
    const { log, positions } = await fill(60)
    await log.close()
    const old = new Date(env.wallMs() - 10_000)
    for (const name of await segmentNames()) await utimes(join(folder, name), old, old)
    const open = await openSegmentLog({ env, folder, segmentBytesMax: 500, retentionMs: 5_000 })
    const { end } = (await open.bounds())[0]
    const slow = await open.consumer('slow')
    await slow.commit(0, positions[20])
    await slow.close()

    await open.release([positions[10]])
    expect((await open.bounds())[0].start).toBeLessThanOrEqual(positions[10])
    await open.release([end])
    const { start } = (await open.bounds())[0]
    expect(start).toBeGreaterThan(positions[10])
    expect(start).toBeLessThanOrEqual(positions[20])
    expect(await read(await open.consumer('slow'), 40)).toEqual(numbers(40, 20))

    await (await open.consumer('late')).commit(0, end)
    await open.close()
    const last = await openSegmentLog({ env, folder, retentionMs: 5_000 })
    const done = await last.consumer('slow')
    await done.commit(0, end)
    await done.close()
    await last.release([end])
    expect((await segmentNames()).length).toBe(1)
    await last.close()
    await (await openSegmentLog({ env, folder })).close()
  })

  it('removes segments under a follower, which goes on at the oldest record', async () => {
    const { log, positions } = await fill(60)
    await log.close()
    const old = new Date(env.wallMs() - 10_000)
    for (const name of await segmentNames()) await utimes(join(folder, name), old, old)
    let beforeRead = async () => {}
    const files: typeof nodeFiles = {
      ...nodeFiles,
      async open(path, mode) {
        if (mode === 'read') await beforeRead()
        return nodeFiles.open(path, mode)
      },
    }
    const open = await openSegmentLog({ env, folder, segmentBytesMax: 500, retentionMs: 5_000, files })
    const [one, two] = [await open.follow(), await open.follow()]
    await one.seek(0, positions[3])
    expect((await one.next(1))?.positions).toEqual([positions[3]])
    // As if the second one had found its segment just before that is removed.
    beforeRead = () => open.release([positions[40]])
    await two.seek(0, 0)
    const { positions: found } = (await two.next(1))!
    const { start } = (await open.bounds())[0]
    expect(start).toBeGreaterThan(positions[30])
    expect(found[0]).toBe(positions.find((position) => position >= start))
    const values = await read(one, 1)
    while (values.at(-1) !== '59') values.push(...(await read(one, 1)))
    expect(values).toEqual([...new Set(values)].sort((a, b) => Number(a) - Number(b)))
    await open.close()
  })

  it('keeps what is younger than the retention time', async () => {
    const { log } = await fill(60)
    await log.release([(await log.bounds())[0].end])
    expect((await log.bounds())[0].start).toBe(0)
    await log.close()
  })

  it('begins a new segment for a higher epoch, and refuses a lower one', async () => {
    const { log } = await fill(5)
    expect(log.epoch).toBe(1)
    await log.close()
    const raised = await openSegmentLog({ env, folder, epoch: 3 })
    expect(raised.epoch).toBe(3)
    expect(await read(await raised.consumer('g'), 5)).toEqual(numbers(5))
    await raised.close()
    const again = await openSegmentLog({ env, folder, epoch: 4 })
    await again.append([{ key: 1, value: Buffer.from('5') }])
    expect(await read(await again.consumer('h'), 6)).toEqual(numbers(6))
    await again.close()
    await expect(openSegmentLog({ env, folder, epoch: 3 })).rejects.toMatchObject({ code: 'config_invalid' })
    const same = await openSegmentLog({ env, folder })
    expect(same.epoch).toBe(4)
    await same.close()
  })

  it('does not grow by being opened and closed', async () => {
    const { log } = await fill(1)
    await log.close()
    const path = join(folder, (await segmentNames())[0])
    const { size } = await stat(path)
    for (let n = 0; n < 3; n++) await (await openSegmentLog({ env, folder })).close()
    expect((await stat(path)).size).toBe(size)
  })

  it('serves a consumer that is far behind while it is written', async () => {
    const log = await openSegmentLog({ env, folder, segmentBytesMax: 3_000_000 })
    const value = Buffer.alloc(1_000)
    const append = (n: number) => {
      value.writeUInt32LE(n)
      return log.append([{ key: n, value }])
    }
    const consumer = await log.consumer('g')
    let expected = 0
    const reading = (async () => {
      while (expected < 30_000) {
        const batch = await consumer.next(100)
        for (const bytes of batch!.values) expect(Buffer.from(bytes).readUInt32LE(0)).toBe(expected++)
        await consumer.commit(0, batch!.next)
      }
    })()
    for (let n = 0; n < 30_000; n += 1_000) {
      await Promise.all(Array.from({ length: 1_000 }, (_, m) => append(n + m)))
    }
    await reading
    await log.close()
  })
})
