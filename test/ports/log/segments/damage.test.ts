/**
 * Every truncation and every flipped bit of a small log, torn writes, and garbage: what is recovered must be what was
 * written, and no acknowledged record may vanish silently.
 */

import { beforeAll, describe, expect, it } from 'vitest'
import { RivuletError, isRivuletError } from '../../../../src/core/errors.ts'
import { createRandom } from '../../../../src/ports/env/random.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { FILE_HEADER_BYTES } from '../../../../src/ports/log/segments/format.ts'
import { openSegmentLog } from '../../../../src/ports/log/segments/segments.ts'
import { memoryFiles, type FileContents } from './memory-files.ts'

const env = createRealEnv()
const FIRST = '0000000000000000.segment'
const STATE = 'consumers.json'

interface Written {
  readonly contents: FileContents
  readonly segment: Buffer
  /** Where each record ends in the file, in order. */
  readonly ends: readonly number[]
  readonly values: readonly string[]
  /** Where the last batch begins in the file. */
  readonly lastBatchAt: number
}

const BATCHES = [1, 6, 4, 1, 8, 5]

/** Each call is awaited, and so becomes a batch. Payloads have no zero byte, and varying lengths. */
async function write(batches: readonly number[], valueBytes: (n: number) => number): Promise<Written> {
  const contents: FileContents = new Map()
  const log = await openSegmentLog({ env, folder: 'log', files: memoryFiles(contents) })
  const [values, ends]: [string[], number[]] = [[], []]
  let lastBatchAt = 0
  for (const count of batches) {
    lastBatchAt = contents.get(FIRST)!.length
    const batch = Array.from({ length: count }, (_, n) => {
      const number = values.length + n
      return `${number}:`.padEnd(valueBytes(number), String.fromCharCode(97 + (number % 26)))
    })
    const positions = await log.append(batch.map((text, n) => ({ key: n, value: Buffer.from(text) })))
    values.push(...batch)
    ends.push(...positions.map((position, n) => position + FILE_HEADER_BYTES + 16 + batch[n].length))
  }
  const consumer = await log.consumer('g')
  await consumer.close()
  await log.close()
  return { contents, segment: Buffer.from(contents.get(FIRST)!), ends, values, lastBatchAt }
}

interface Outcome {
  readonly values: readonly string[]
  readonly notices: readonly string[]
  readonly error: RivuletError | undefined
}

/** Does what an application would: opens the log, reads it, appends one more record, reads that, and closes. */
async function recover(contents: FileContents): Promise<Outcome> {
  const values: string[] = []
  const notices: string[] = []
  try {
    const onNotice = (text: string) => notices.push(text)
    const log = await openSegmentLog({ env, folder: 'log', files: memoryFiles(contents), onNotice })
    const consumer = await log.consumer('reader')
    await log.append([{ key: 1, value: Buffer.from('appended') }])
    while (values.at(-1) !== 'appended') {
      const batch = await consumer.next(7)
      values.push(...batch!.values.map((value) => Buffer.from(value).toString()))
    }
    await log.close()
    return { values: values.slice(0, -1), notices, error: undefined }
  } catch (error) {
    if (!isRivuletError(error)) throw error
    return { values, notices, error }
  }
}

const withSegment = (segment: Buffer, state?: Buffer): FileContents =>
  new Map([[FIRST, segment], ...(state === undefined ? [] : [[STATE, state] as const])])

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[bit >> 3] ^= 1 << (bit & 7)
  return copy
}

/** Called some ten thousand times: `expect` would take as long as the comparison itself. */
function expectRefusal({ error }: Outcome, what: string, file = FIRST): number {
  const offset = /at byte (\d+)/.exec(error?.message ?? '')?.[1]
  if (error?.code === 'data_corrupt' && error.message.includes(file) && offset !== undefined)
    return Number(offset)
  throw new Error(`${what} is not refused as it should be: ${error?.code} ${error?.message}`)
}

function expectValues(found: readonly string[], expected: readonly string[]): void {
  if (found.length !== expected.length || found.some((value, i) => value !== expected[i]))
    expect(found).toEqual(expected)
}

describe('a segment file that is damaged', () => {
  let written: Written
  let state: Buffer
  beforeAll(async () => {
    written = await write(BATCHES, (n) => 8 + ((n * 37) % 60))
    state = written.contents.get(STATE)!
  })

  it('is recovered whole when nothing is wrong', async () => {
    for (const stored of [state, undefined]) {
      const outcome = await recover(withSegment(written.segment, stored))
      expect(outcome.values).toEqual(written.values)
      expect(outcome.error).toBeUndefined()
    }
  })

  it('truncated at any length, without a recorded durable position: every whole record stays', async () => {
    const { segment, ends, values } = written
    for (let length = 0; length < segment.length; length++) {
      const outcome = await recover(withSegment(segment.subarray(0, length)))
      if (length < FILE_HEADER_BYTES) {
        expect(expectRefusal(outcome, `length ${length}`)).toBe(0)
      } else {
        if (outcome.error !== undefined) expect(outcome.error, `length ${length}`).toBeUndefined()
        expectValues(outcome.values, values.slice(0, ends.filter((end) => end <= length).length))
      }
    }
  })

  it('truncated at any length below the recorded durable position: refused', async () => {
    for (let length = 0; length < written.segment.length; length++) {
      expectRefusal(
        await recover(withSegment(written.segment.subarray(0, length), state)),
        `length ${length}`,
      )
    }
  })

  it('with any one bit flipped: refused at or before that byte, with and without a recorded position', async () => {
    for (const stored of [undefined, state]) {
      for (let bit = 0; bit < written.segment.length * 8; bit++) {
        const outcome = await recover(withSegment(flipped(written.segment, bit), stored))
        const offset = expectRefusal(outcome, `bit ${bit}`)
        if (offset > bit >> 3) throw new Error(`bit ${bit}: names byte ${offset}`)
      }
    }
  })

  it('followed by garbage of any length: nothing is lost, the garbage goes', async () => {
    const random = createRandom(1)
    for (let length = 1; length < 600; length += 1 + Math.floor(random() * 3)) {
      const garbage = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
      for (const tail of [garbage, Buffer.alloc(length)]) {
        const outcome = await recover(withSegment(Buffer.concat([written.segment, tail]), state))
        expectValues(outcome.values, written.values)
        if (!outcome.notices.join().includes(`cut ${length} bytes`)) expect(outcome.notices).toEqual([length])
      }
    }
  })

  it('damaged at random in many bytes: never delivers a wrong record', async () => {
    const random = createRandom(2)
    for (let round = 0; round < 1_000; round++) {
      const segment = Buffer.from(written.segment)
      const from = Math.floor(random() * segment.length)
      const to = from + 1 + Math.floor(random() * 200)
      for (let at = from; at < Math.min(to, segment.length); at++) segment[at] = Math.floor(random() * 256)
      const { values } = await recover(withSegment(segment))
      expectValues(values, written.values.slice(0, values.length))
    }
  })

  it('with two records of one length exchanged: refused', async () => {
    const same = await write([3], () => 40)
    const [first, second] = [same.ends[0], same.ends[1]]
    const segment = Buffer.from(same.segment)
    same.segment.copy(segment, first, second, same.ends[2])
    same.segment.copy(segment, second, first, second)
    expect(expectRefusal(await recover(withSegment(segment)), 'exchanged')).toBe(first)
  })

  it('has its consumers.json checked bit by bit too', async () => {
    for (let bit = 0; bit < state.length * 8; bit++) {
      const { error } = await recover(withSegment(written.segment, flipped(state, bit)))
      expect(['data_corrupt', 'data_newer_format'], `bit ${bit}`).toContain(error?.code)
      expect(error?.message).toContain(STATE)
    }
  })

  it('from a newer version: says so', async () => {
    const { encodeFileHeader } = await import('../../../../src/ports/log/segments/format.ts')
    const { crc32 } = await import('node:zlib')
    const header = encodeFileHeader({ salt: 1, epoch: 1, base: 0 })
    header.writeUInt32LE(2, 8)
    header.writeUInt32LE(crc32(header.subarray(0, 60)), 60)
    expect((await recover(withSegment(header))).error?.code).toBe('data_newer_format')
  })
})

describe('a torn last batch', () => {
  const SECTOR = 512

  /** As a crash leaves the file: some sectors of the batch never written, and perhaps without its end. */
  function tear({ segment, lastBatchAt }: Written, random: () => number): Buffer {
    const torn = Buffer.from(segment)
    const lossShare = random()
    for (let at = lastBatchAt; at < torn.length; at += SECTOR - (at % SECTOR)) {
      const end = Math.min(at - (at % SECTOR) + SECTOR, torn.length)
      if (random() < lossShare) torn.fill(0, at, end)
    }
    return random() < 0.3
      ? torn.subarray(0, lastBatchAt + Math.floor(random() * (torn.length - lastBatchAt)))
      : torn
  }

  it('never stops a start, and never takes a record of an earlier batch with it', async () => {
    const random = createRandom(3)
    for (const shape of [(n: number) => 40 + n, (n: number) => 300 + 70 * n, () => 1_500]) {
      const written = await write([3, 5, 9], shape)
      for (let round = 0; round < 500; round++) {
        const outcome = await recover(withSegment(tear(written, random)))
        if (outcome.error !== undefined) expect(outcome.error, `round ${round}`).toBeUndefined()
        if (outcome.values.length < 8) expect(outcome.values.length).toBeGreaterThanOrEqual(8)
        expectValues(outcome.values, written.values.slice(0, outcome.values.length))
      }
    }
  })

  it('is refused when it was known to be durable', async () => {
    const written = await write([3, 5, 9], () => 1_500)
    const torn = Buffer.from(written.segment).fill(0, written.segment.length - 1_024)
    expectRefusal(await recover(withSegment(torn, written.contents.get(STATE))), 'zeros')
  })

  it('is damage when it is not the last: zeros in an earlier batch are refused', async () => {
    const written = await write([3, 5, 9], () => 1_500)
    for (let at = FILE_HEADER_BYTES; at < written.lastBatchAt; at += 97) {
      const hole = Buffer.from(written.segment).fill(0, at, Math.min(at + SECTOR, written.lastBatchAt))
      expectRefusal(await recover(withSegment(hole)), `zeros at ${at}`)
    }
  })

  it('is cut once: a second start finds nothing to do', async () => {
    const written = await write([3, 5, 9], () => 1_500)
    const contents = withSegment(Buffer.from(written.segment).fill(0, written.segment.length - 1_024))
    const files = memoryFiles(contents)
    const first: string[] = []
    await (await openSegmentLog({ env, folder: 'log', files, onNotice: (text) => first.push(text) })).close()
    expect(first.some((text) => text.startsWith('cut'))).toBe(true)
    const again = await recover(contents)
    expect(again.notices).toEqual([])
    expect(again.values).toEqual(written.values.slice(0, 16))
  })
})

describe('several segments', () => {
  it('with any byte of an older one changed: refused at the start or when it is read, nothing wrong before it', async () => {
    const contents: FileContents = new Map()
    const settings = { env, folder: 'log', segmentBytesMax: 400 }
    const log = await openSegmentLog({ ...settings, files: memoryFiles(contents) })
    const values = Array.from({ length: 30 }, (_, n) => `value ${n} ${'x'.repeat(n)}`)
    for (const value of values) await log.append([{ key: 1, value: Buffer.from(value) }])
    await log.close()
    const names = [...contents.keys()].filter((name) => name.endsWith('.segment')).sort()
    expect(names.length).toBeGreaterThan(3)
    for (const name of names.slice(0, -1)) {
      const bytes = contents.get(name)!
      for (let byte = 0; byte < bytes.length; byte++) {
        const damaged = new Map(contents).set(name, flipped(bytes, byte * 8 + (byte % 8)))
        const outcome = await recover(damaged)
        expectRefusal(outcome, `${name} byte ${byte}`, name)
        expectValues(outcome.values, values.slice(0, outcome.values.length))
      }
      for (const length of [0, 40, 64, bytes.length - 1]) {
        expectRefusal(await recover(new Map(contents).set(name, bytes.subarray(0, length))), name, name)
      }
    }
    for (const missing of names.slice(1)) {
      const rest = new Map(contents)
      rest.delete(missing)
      expect((await recover(rest)).error?.code, missing).toBe('data_corrupt')
    }
    const none: FileContents = new Map([[STATE, contents.get(STATE)!]])
    expect((await recover(none)).error?.code).toBe('data_corrupt')
  })
})
