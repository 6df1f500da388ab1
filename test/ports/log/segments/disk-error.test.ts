import { describe, expect, it } from 'vitest'
import type { RivuletError } from '../../../../src/core/errors.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { createSimulatedEnv } from '../../../../src/ports/env/simulated.ts'
import type { SegmentFile } from '../../../../src/ports/log/segments/files.ts'
import { openSegmentLog } from '../../../../src/ports/log/segments/segments.ts'
import { interceptFiles, memoryFiles, type FileContents } from './memory-files.ts'

const env = createRealEnv()
const record = (text: string) => ({ key: 1, value: Buffer.from(text) })
const diskError = { name: 'RivuletError', code: 'disk_error' }
const errno = (code: string) => Object.assign(new Error(`${code}: no luck`), { code })

/** A disk that works until `breakOn` is called, fails each such operation `failures` times, then works again. */
function brokenDisk() {
  const contents: FileContents = new Map()
  const calls: string[] = []
  let [failing, failures, code] = [undefined as keyof SegmentFile | undefined, 0, 'EIO']
  const files = interceptFiles(memoryFiles(contents), (operation, path) => {
    calls.push(`${operation} ${path}`)
    if (operation !== failing || failures === 0) return
    failures--
    throw errno(code)
  })
  const breakOn = (operation: keyof SegmentFile, times = 1, errorCode = 'EIO') => {
    ;[failing, failures, code] = [operation, times, errorCode]
  }
  return { contents, calls, files, breakOn }
}

async function readAll(contents: FileContents): Promise<string[]> {
  const log = await openSegmentLog({ env, folder: 'log', files: memoryFiles(contents) })
  const consumer = await log.consumer('reader')
  const values: string[] = []
  const { end } = (await log.bounds())[0]
  for (let next = 0; next < end;) {
    const batch = await consumer.next(100)
    values.push(...batch!.values.map((value) => Buffer.from(value).toString()))
    next = batch!.next
  }
  await log.close()
  return values
}

describe('a disk that fails', () => {
  for (const [operation, code] of [
    ['datasync', 'EIO'],
    ['write', 'ENOSPC'],
  ] as const) {
    it(`once, at ${operation}: no append is acknowledged ever after, and nothing is synced again`, async () => {
      const disk = brokenDisk()
      const fatal: RivuletError[] = []
      const onFatal = (error: RivuletError) => fatal.push(error)
      const log = await openSegmentLog({ env, folder: 'log', files: disk.files, onFatal })
      await log.append([record('acknowledged')])
      const consumer = await log.consumer('g')
      await consumer.next(1)
      const waiting = expect(consumer.next(1)).rejects.toMatchObject(diskError)

      disk.breakOn(operation, 1, code)
      const inFlight = log.append([record('in flight')])
      const rejected = [expect(inFlight).rejects.toMatchObject(diskError)]
      await env.yield()
      rejected.push(expect(log.append([record('behind')])).rejects.toMatchObject(diskError))
      await Promise.all([...rejected, waiting])
      const callsAtFailure = disk.calls.length
      await expect(log.append([record('later')])).rejects.toMatchObject(diskError)
      await expect(log.consumer('h')).rejects.toMatchObject(diskError)
      await log.close()

      expect(fatal).toHaveLength(1)
      expect(fatal[0].message).toContain(code)
      expect(disk.calls.slice(callsAtFailure).filter((call) => /write|sync/.test(call))).toEqual([])
      const values = await readAll(disk.contents)
      expect(['acknowledged', 'acknowledged,in flight']).toContain(values.join())
    })
  }

  it('while consumers.json is saved: the log fails too, and the append in flight is not acknowledged', async () => {
    const simulated = createSimulatedEnv({ seed: 1, startMs: 0 })
    const disk = brokenDisk()
    const fatal: RivuletError[] = []
    const onFatal = (error: RivuletError) => fatal.push(error)
    const log = await openSegmentLog({ env: simulated, folder: 'log', files: disk.files, onFatal })
    await log.append([record('a')])
    disk.breakOn('sync')
    simulated.advance(1_000)
    await simulated.run(0)
    expect(fatal).toHaveLength(1)
    await expect(log.append([record('b')])).rejects.toMatchObject(diskError)
    await log.close()
    expect(await readAll(disk.contents)).toEqual(['a'])
  })

  it('elsewhere while a batch is being synced: that batch is not acknowledged either', async () => {
    const simulated = createSimulatedEnv({ seed: 1, startMs: 0 })
    let finishSync: (() => void) | undefined
    let broken = false
    const files = interceptFiles(memoryFiles(new Map()), (operation, path) => {
      if (operation === 'datasync') return new Promise<void>((resolve) => (finishSync = resolve))
      if (broken && path.includes('consumers')) throw errno('EIO')
    })
    const log = await openSegmentLog({ env: simulated, folder: 'log', files })
    await log.consumer('g')
    const inFlight = expect(log.append([record('a')])).rejects.toMatchObject(diskError)
    await simulated.run(0)
    expect(finishSync).toBeDefined()
    broken = true
    await simulated.run(1_000)
    await expect(log.append([record('b')])).rejects.toMatchObject(diskError)
    finishSync?.()
    await inFlight
    await log.close()
  })

  it('after a kill: what is read again is written and synced again before it counts as durable', async () => {
    const disk = brokenDisk()
    const killed = await openSegmentLog({ env, folder: 'log', files: disk.files })
    await killed.append([record('a')])
    disk.calls.length = 0
    const log = await openSegmentLog({ env, folder: 'log', files: disk.files })
    const changes = disk.calls.filter((call) => /^(write|sync) .*segment$/.test(call))
    expect(changes.map((call) => call.split(' ')[0])).toEqual(['write', 'sync'])
    await log.close()
  })

  it('while a new segment begins: rejects, and starts again without a trace', async () => {
    const disk = brokenDisk()
    const log = await openSegmentLog({ env, folder: 'log', files: disk.files, segmentBytesMax: 100 })
    await log.append([record('a'.repeat(50))])
    disk.breakOn('sync')
    await expect(log.append([record('b'.repeat(50))])).rejects.toMatchObject(diskError)
    await log.close()
    expect(await readAll(disk.contents)).toEqual(['a'.repeat(50)])
  })

  it('when it is read: the consumer and the log reject', async () => {
    const disk = brokenDisk()
    const before = await openSegmentLog({ env, folder: 'log', files: disk.files })
    await before.append([record('a')])
    await before.close()
    const log = await openSegmentLog({ env, folder: 'log', files: disk.files })
    const consumer = await log.consumer('g')
    disk.breakOn('read')
    await expect(consumer.next(1)).rejects.toMatchObject(diskError)
    await expect(log.append([record('b')])).rejects.toMatchObject(diskError)
    await log.close()
  })

  for (const operation of ['read', 'sync', 'write', 'sizeBytes'] as const) {
    it(`at ${operation} when the log is opened: says so, with no raw error`, async () => {
      const disk = brokenDisk()
      const log = await openSegmentLog({ env, folder: 'log', files: disk.files })
      await log.append([record('a')])
      await log.close()
      disk.breakOn(operation)
      await expect(openSegmentLog({ env, folder: 'log', files: disk.files })).rejects.toMatchObject(diskError)
      expect(await readAll(disk.contents)).toEqual(['a'])
    })
  }

  it('for a folder that cannot be made: says so', async () => {
    await expect(openSegmentLog({ env, folder: '/dev/null/log' })).rejects.toMatchObject(diskError)
  })
})

describe('consumers.json', () => {
  it('is saved about once a second, however many commits there are', async () => {
    const simulated = createSimulatedEnv({ seed: 1, startMs: 0 })
    const disk = brokenDisk()
    const log = await openSegmentLog({ env: simulated, folder: 'log', files: disk.files })
    const [, second] = await log.append([record('a'), record('b')])
    const consumer = await log.consumer('g')
    const saves = () =>
      disk.calls.filter((call) => call.startsWith('write') && call.includes('consumers')).length
    const before = saves()
    for (let n = 0; n < 100; n++) await consumer.commit(0, second)
    await simulated.run(999)
    expect(saves()).toBe(before)
    await simulated.run(1)
    expect(saves()).toBe(before + 1)
    await simulated.run(10_000)
    expect(saves()).toBe(before + 1)
    // Not closed: as after a crash, the saved position counts.
    const again = await openSegmentLog({ env, folder: 'log', files: memoryFiles(disk.contents) })
    expect((await (await again.consumer('g')).next(1))?.positions).toEqual([second])
    await again.close()
  })
})
