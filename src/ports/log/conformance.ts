/**
 * What every log adapter must do, as a test suite: `logConformance({ name, open })` in a test file of the
 * adapter. It asserts promises of the contract only, never what one engine happens to do better.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import {
  appendRecordsMax,
  type Log,
  type LogBatch,
  type LogConsumer,
  type LogCursor,
  type LogRecord,
} from './log.ts'

/** One log that can be opened more than once: a folder, a disk object, a set of topics. */
export interface LogUnderTest {
  open(): Promise<Log>
  /** Ends the open log as a crash would, without `close`. Leave it out if the adapter cannot do so. */
  crash?(): Promise<void>
  remove?(): Promise<void>
}

export interface LogConformanceOptions {
  readonly name: string
  /** A new, empty log. */
  readonly create: () => Promise<LogUnderTest>
  readonly supports?: {
    /** The content survives `close` and another `open` (default: yes). */
    readonly reopen?: boolean
    /** A bound of unsynced bytes that is low enough to be reached with 64 MiB (default: no). */
    readonly overload?: boolean
  }
}

interface Seen {
  readonly values: string[]
  readonly positions: number[]
  readonly batches: LogBatch[]
}

const GROUP = 'conformance'
const record = (key: number, text: string): LogRecord => ({ key, value: Buffer.from(text) })
const texts = (batch: LogBatch): string[] => batch.values.map((value) => Buffer.from(value).toString())

/** Reads until `count` records came. */
async function take(cursor: LogCursor, count: number, recordsMax = 256): Promise<Seen> {
  const seen: Seen = { values: [], positions: [], batches: [] }
  while (seen.values.length < count) {
    const batch = await cursor.next(recordsMax)
    if (batch === undefined) throw new Error(`closed after ${seen.values.length} of ${count} records`)
    seen.values.push(...texts(batch))
    seen.positions.push(...batch.positions)
    seen.batches.push(batch)
  }
  return seen
}

async function commitAll(consumer: LogConsumer, { batches }: Seen): Promise<void> {
  for (const { partition, next } of batches) await consumer.commit(partition, next)
}

/** A key of each partition. */
function keysOf(log: Log): number[] {
  const keys: number[] = []
  for (let key = 0; Object.keys(keys).length < log.partitions; key++) keys[log.partitionOf(key)] ??= key
  return keys
}

const expectCode = (promise: Promise<unknown>, code: ErrorCode) =>
  expect(promise).rejects.toMatchObject({ name: 'RivuletError', code })

export function logConformance({ name, create, supports = {} }: LogConformanceOptions): void {
  describe(`${name}: the promises of a log`, () => {
    const context = { log: undefined as unknown as Log, subject: undefined as unknown as LogUnderTest }
    beforeEach(async () => {
      context.subject = await create()
      context.log = await context.subject.open()
    })
    afterEach(async () => {
      await context.log.close()
      await context.subject.remove?.()
    })
    appending(context)
    consuming(context)
    seeking(context)
    assigning(context)
    following(context)
    refusing(context, supports.overload ?? false)
    if (supports.reopen ?? true) reopening(context)
  })
}

interface Context {
  log: Log
  subject: LogUnderTest
}

function appending(context: Context): void {
  it('gives every record a position, rising within a partition', async () => {
    const first = await context.log.append([record(1, 'a'), record(1, 'b')])
    const second = await context.log.append([record(1, 'c')])
    expect(first).toHaveLength(2)
    const all = [...first, ...second]
    expect(all).toEqual([...all].sort((a, b) => a - b))
    expect(new Set(all).size).toBe(3)
    expect(await context.log.append([])).toEqual([])
  })

  it('puts the records of a key where it says', async () => {
    const keys = [0, 1, 2, 3, 17, 2 ** 32, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]
    await context.log.append(keys.map((key) => record(key, `${key}`)))
    const { batches } = await take(await context.log.consumer(GROUP), keys.length)
    for (const batch of batches)
      for (const text of texts(batch)) expect(context.log.partitionOf(Number(text))).toBe(batch.partition)
  })

  it('keeps the order of calls within a key, also of calls that were not awaited', async () => {
    const calls = Array.from({ length: 400 }, (_, n) => context.log.append([record(n % 7, `${n % 7}:${n}`)]))
    await Promise.all(calls)
    const { values } = await take(await context.log.consumer(GROUP), 400)
    for (let key = 0; key < 7; key++) {
      const numbers = values
        .filter((value) => value.startsWith(`${key}:`))
        .map((value) => Number(value.slice(2)))
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    }
    expect(new Set(values).size).toBe(400)
  })

  it('keeps the records of one call together', async () => {
    const call = (id: number) =>
      context.log.append(Array.from({ length: 50 }, (_, n) => record(3, `${id}:${n}`)))
    await Promise.all(Array.from({ length: 20 }, (_, id) => call(id)))
    const { values } = await take(await context.log.consumer(GROUP), 1_000)
    const expected = [...new Set(values.map((value) => value.split(':')[0]))].flatMap((id) =>
      Array.from({ length: 50 }, (_, n) => `${id}:${n}`),
    )
    expect(values).toEqual(expected)
  })

  it('has taken the bytes when the call returns', async () => {
    const value = Buffer.from('before')
    const pending = context.log.append([{ key: 1, value }])
    value.fill(0)
    await pending
    expect((await take(await context.log.consumer(GROUP), 1)).values).toEqual(['before'])
  })

  it('gives the consumer the positions that append gave', async () => {
    const positions = await context.log.append([record(5, 'a'), record(5, 'b'), record(5, 'c')])
    expect((await take(await context.log.consumer(GROUP), 3)).positions).toEqual(positions)
  })

  it('takes any bytes, none at all, the largest key and the largest record', async () => {
    const values = [
      new Uint8Array(0),
      Uint8Array.from({ length: 256 }, (_, n) => n),
      new Uint8Array(LIMITS.logRecordBytesMax).fill(7),
    ]
    await context.log.append(values.map((value) => ({ key: Number.MAX_SAFE_INTEGER, value })))
    const { batches } = await take(await context.log.consumer(GROUP), 3)
    const read = batches.flatMap((batch) => batch.values)
    expect(read.map((value) => Buffer.compare(value, values[read.indexOf(value)]))).toEqual([0, 0, 0])
  })

  it('takes a call of many large records whole', async () => {
    const many = Array.from({ length: 40 }, (_, n) => ({ key: 1, value: new Uint8Array(400_000).fill(n) }))
    await Promise.all([context.log.append(many), context.log.append([record(1, 'behind')])])
    const { batches } = await take(await context.log.consumer(GROUP), 41)
    const firsts = batches.flatMap((batch) => batch.values.map((value) => value[0]))
    expect(firsts).toEqual([...many.keys(), 'b'.charCodeAt(0)])
  })
}

function consuming(context: Context): void {
  it('waits in `next` until there is a record', async () => {
    const consumer = await context.log.consumer(GROUP)
    const waiting = consumer.next(10)
    await context.log.append([record(1, 'a')])
    expect(texts((await waiting)!)).toEqual(['a'])
    const again = consumer.next(10)
    await context.log.append([record(1, 'b')])
    expect(texts((await again)!)).toEqual(['b'])
  })

  it('gives at most `recordsMax` records, and the next batch begins where it says', async () => {
    await context.log.append(Array.from({ length: 25 }, (_, n) => record(1, `${n}`)))
    const { values, batches } = await take(await context.log.consumer(GROUP), 25, 10)
    expect(values).toEqual(Array.from({ length: 25 }, (_, n) => `${n}`))
    for (const [n, batch] of batches.entries()) {
      expect(batch.values.length).toBeLessThanOrEqual(10)
      expect(batch.positions).toHaveLength(batch.values.length)
      expect(batch.next).toBeGreaterThan(batch.positions.at(-1)!)
      if (n > 0) expect(batch.positions[0]).toBeGreaterThanOrEqual(batches[n - 1].next)
    }
  })

  it('keeps a batch within about the bytes of a worker batch', async () => {
    const value = new Uint8Array(300_000)
    await context.log.append(Array.from({ length: 60 }, () => ({ key: 1, value })))
    const { batches } = await take(await context.log.consumer(GROUP), 60, 1_000)
    for (const { values } of batches) {
      const bytes = values.reduce((sum, { byteLength }) => sum + byteLength, 0)
      expect(bytes).toBeLessThanOrEqual(LIMITS.workerBatchBytesMax + LIMITS.logRecordBytesMax)
    }
  })

  it('serves groups independently', async () => {
    await context.log.append([record(1, 'a'), record(1, 'b')])
    const [one, two] = [await context.log.consumer('one'), await context.log.consumer('two')]
    await commitAll(one, await take(one, 2))
    expect((await take(two, 2)).values).toEqual(['a', 'b'])
  })

  it('reads while it is written', async () => {
    const consumer = await context.log.consumer(GROUP)
    const reading = take(consumer, 2_000, 64)
    for (let n = 0; n < 2_000; n += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, m) => context.log.append([record(1, `${n + m}`)])))
    }
    expect((await reading).values).toEqual(Array.from({ length: 2_000 }, (_, n) => `${n}`))
  })

  it('ends a waiting `next` with undefined when the consumer closes', async () => {
    const consumer = await context.log.consumer(GROUP)
    const waiting = consumer.next(10)
    await consumer.close()
    expect(await waiting).toBeUndefined()
    expect(await consumer.next(10)).toBeUndefined()
  })

  it('ends a waiting `next` with undefined when the log closes', async () => {
    const waiting = (await context.log.consumer(GROUP)).next(10)
    await context.log.close()
    expect(await waiting).toBeUndefined()
  })

  it('goes on from the committed position with the next consumer of the group', async () => {
    await context.log.append([record(1, 'a'), record(1, 'b'), record(1, 'c')])
    const consumer = await context.log.consumer(GROUP)
    await commitAll(consumer, await take(consumer, 1, 1))
    expect((await take(consumer, 1, 1)).values).toEqual(['b'])
    await consumer.close()
    expect((await take(await context.log.consumer(GROUP), 2)).values).toEqual(['b', 'c'])
  })

  it('keeps what a known group has not read when told to release everything', async () => {
    await context.log.append([record(1, 'a'), record(1, 'b')])
    await (await context.log.consumer(GROUP)).close()
    await context.log.release((await context.log.bounds()).map(({ end }) => end))
    expect((await take(await context.log.consumer(GROUP), 2)).values).toEqual(['a', 'b'])
  })

  it('tells its bounds', async () => {
    const before = await context.log.bounds()
    expect(before).toHaveLength(context.log.partitions)
    const [position] = await context.log.append([record(1, 'a')])
    const { batches } = await take(await context.log.consumer(GROUP), 1)
    const { start, end } = (await context.log.bounds())[batches[0].partition]
    expect(start).toBeLessThanOrEqual(position)
    expect(end).toBeGreaterThan(position)
    expect(batches[0].next).toBe(end)
  })
}

function seeking(context: Context): void {
  it('goes back and forward to a record', async () => {
    const positions = await context.log.append(Array.from({ length: 30 }, (_, n) => record(1, `${n}`)))
    const consumer = await context.log.consumer(GROUP)
    const { partition } = (await take(consumer, 30)).batches[0]
    for (const n of [17, 3, 29, 0]) {
      await consumer.seek(partition, positions[n])
      expect((await take(consumer, 1, 1)).values).toEqual([`${n}`])
    }
  })

  it('goes to the oldest record above a position that has none', async () => {
    const [first, second] = await context.log.append([
      record(1, 'first, of some length'),
      record(1, 'second'),
    ])
    const consumer = await context.log.consumer(GROUP)
    const { partition } = (await take(consumer, 2)).batches[0]
    for (let position = first + 1; position <= second; position++) {
      await consumer.seek(partition, position)
      expect((await take(consumer, 1, 1)).values).toEqual(['second'])
    }
  })

  it('takes effect on a `next` that waits', async () => {
    const [first] = await context.log.append([record(1, 'a')])
    const consumer = await context.log.consumer(GROUP)
    const { partition } = (await take(consumer, 1)).batches[0]
    const waiting = consumer.next(10)
    await consumer.seek(partition, first)
    expect(texts((await waiting)!)).toEqual(['a'])
  })

  it('does not move what the group has committed', async () => {
    const positions = await context.log.append([record(1, 'a'), record(1, 'b')])
    const consumer = await context.log.consumer(GROUP)
    const { partition } = (await take(consumer, 1, 1)).batches[0]
    await consumer.seek(partition, positions[1])
    await consumer.close()
    expect((await take(await context.log.consumer(GROUP), 2)).values).toEqual(['a', 'b'])
  })
}

function assigning(context: Context): void {
  it('tells which partitions a consumer has, once it is there and before the first batch', async () => {
    await context.log.append(keysOf(context.log).map((key) => record(key, 'a')))
    const told: number[][] = []
    let isReturned = false
    const consumer = await context.log.consumer(GROUP, (partitions) => {
      expect(isReturned).toBe(true)
      told.push([...partitions].sort())
    })
    isReturned = true
    expect((await consumer.next(1))?.values).toHaveLength(1)
    expect(told).toEqual([Array.from({ length: context.log.partitions }, (_, partition) => partition)])
  })

  it('tells it also when nobody asks for a batch', async () => {
    await new Promise((resolve) => void context.log.consumer(GROUP, resolve))
  })

  it('reads from where it is sought to while it tells', async () => {
    const { log } = context
    const positions = await log.append(
      keysOf(log).flatMap((key) => ['a', 'b', 'c'].map((text) => record(key, text))),
    )
    const consumer: LogConsumer = await log.consumer(GROUP, (partitions) => {
      for (const partition of partitions) void consumer.seek(partition, positions[3 * partition + 1])
    })
    const { batches } = await take(consumer, 2 * log.partitions)
    for (let partition = 0; partition < log.partitions; partition++) {
      const own = batches.filter((batch) => batch.partition === partition)
      expect(own.flatMap(texts)).toEqual(['b', 'c'])
    }
  })
}

function following(context: Context): void {
  const append = (keys: readonly number[], text: string) =>
    context.log.append(keys.map((key) => record(key, text)))
  const fill = (count: number) =>
    context.log.append(Array.from({ length: count }, (_, n) => record(1, `${n}`)))

  it('reads what it is told to, from where it is told to, each partition by itself', async () => {
    const { log } = context
    const keys = keysOf(log)
    await append(keys, 'a')
    const positions = await append(keys, 'b')
    const follower = await log.follow()
    for (let partition = 0; partition < log.partitions; partition++) {
      const waiting = follower.next(10)
      await follower.seek(partition, positions[partition])
      const batch = await waiting
      expect([batch?.partition, texts(batch!)]).toEqual([partition, ['b']])
    }
  })

  it('waits for records, and reads while it is written', async () => {
    const follower = await context.log.follow()
    await follower.seek(context.log.partitionOf(1), 0)
    const reading = take(follower, 2_000, 64)
    for (let n = 0; n < 2_000; n += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, m) => context.log.append([record(1, `${n + m}`)])))
    }
    expect((await reading).values).toEqual(Array.from({ length: 2_000 }, (_, n) => `${n}`))
  })

  it('goes back and forward, also to the oldest record above a position', async () => {
    const positions = await fill(30)
    const follower = await context.log.follow()
    for (const n of [17, 3, 29, 1]) {
      await follower.seek(context.log.partitionOf(1), positions[n - 1] + 1)
      expect((await take(follower, 1, 1)).values).toEqual([`${n}`])
    }
  })

  it('is any number of followers beside the group, which stays where it is', async () => {
    const positions = await fill(10)
    const consumer = await context.log.consumer(GROUP)
    const partition = context.log.partitionOf(1)
    await commitAll(consumer, await take(consumer, 3, 3))
    for (const from of [0, 5]) {
      const follower = await context.log.follow()
      await follower.seek(partition, positions[from])
      expect((await take(follower, 10 - from, 4)).positions).toEqual(positions.slice(from))
    }
    expect((await take(consumer, 7)).positions).toEqual(positions.slice(3))
    await consumer.close()
    expect((await take(await context.log.consumer(GROUP), 7)).positions).toEqual(positions.slice(3))
  })

  it('gives nothing of a partition that it left, also not by a `next` under way', async () => {
    const positions = await fill(3)
    const partition = context.log.partitionOf(1)
    const follower = await context.log.follow()
    await follower.seek(partition, positions[0])
    await take(follower, 1, 1)
    const waiting = follower.next(1)
    follower.leave(partition)
    await fill(1)
    await follower.seek(partition, positions[2])
    expect((await waiting)?.positions).toEqual([positions[2]])
    await follower.seek(partition, positions[1])
    follower.leave(partition)
    const ending = follower.next(1)
    await follower.close()
    expect(await ending).toBeUndefined()
  })

  it('loses nothing of a partition when another one is sought or left meanwhile', async () => {
    const { log } = context
    const keys = keysOf(log)
    const last = log.partitions - 1
    const positions = await append(keys, 'first')
    for (let n = 0; n < 40; n++) await log.append([record(keys[last], `${n}`)])
    const follower = await log.follow()
    await follower.seek(last, positions[last] + 1)
    const values: string[] = []
    for (let tries = 0; values.length < 40 && tries < 1_000; tries++) {
      const waiting = follower.next(1)
      for (let partition = 0; partition < last; partition++) {
        if (tries % 2 === 0) await follower.seek(partition, positions[partition])
        else follower.leave(partition)
      }
      const batch = await waiting
      if (batch?.partition === last) values.push(...texts(batch))
    }
    expect(values).toEqual(Array.from({ length: 40 }, (_, n) => `${n}`))
  })

  it('ends a waiting `next` with undefined when it or the log closes', async () => {
    const [one, two] = [await context.log.follow(), await context.log.follow()]
    const waiting = [one.next(1), two.next(1)]
    await one.close()
    expect(await waiting[0]).toBeUndefined()
    await context.log.close()
    expect(await waiting[1]).toBeUndefined()
    await expectCode(two.seek(0, 0), 'shutting_down')
    two.leave(0)
  })
}

function refusing(context: Context, overload: boolean): void {
  it('refuses what is beyond the limits, and has then appended nothing', async () => {
    const tooLarge = { key: 1, value: new Uint8Array(LIMITS.logRecordBytesMax + 1) }
    await expectCode(context.log.append([record(1, 'a'), tooLarge]), 'payload_too_large')
    const tooMany = Array.from({ length: appendRecordsMax + 1 }, () => record(1, 'a'))
    await expectCode(context.log.append(tooMany), 'invalid_request')
    for (const key of [-1, 1.5, 2 ** 53, Number.NaN]) {
      await expectCode(context.log.append([record(key, 'a')]), 'invalid_request')
    }
    await context.log.append([record(1, 'fine')])
    expect((await take(await context.log.consumer(GROUP), 1)).values).toEqual(['fine'])
  })

  it('refuses a second consumer of a group, and a second `next`', async () => {
    const consumer = await context.log.consumer(GROUP)
    await expectCode(context.log.consumer(GROUP), 'conflict')
    const waiting = consumer.next(1)
    await expectCode(consumer.next(1), 'conflict')
    await consumer.close()
    await waiting
  })

  it('refuses positions that cannot be', async () => {
    const consumer = await context.log.consumer(GROUP)
    await expectCode(consumer.commit(context.log.partitions, 0), 'invalid_request')
    await expectCode(consumer.commit(0, (await context.log.bounds())[0].end + 1), 'invalid_request')
    await expectCode(consumer.seek(0, -1), 'invalid_request')
    await expectCode(context.log.release([]), 'invalid_request')
    const follower = await context.log.follow()
    await expectCode(follower.seek(context.log.partitions, 0), 'invalid_request')
    await expectCode(follower.seek(0, -1), 'invalid_request')
    expect(() => follower.leave(context.log.partitions)).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    )
  })

  it('refuses appends and consumers once closed, and closes twice', async () => {
    const pending = context.log.append([record(1, 'a')])
    await context.log.close()
    expect(await pending).toHaveLength(1)
    await expectCode(context.log.append([record(1, 'b')]), 'shutting_down')
    await expectCode(context.log.consumer(GROUP), 'shutting_down')
    await expectCode(context.log.follow(), 'shutting_down')
    await context.log.close()
  })

  it.runIf(overload)('says `overloaded` when too much is unsynced, and recovers', async () => {
    const value = new Uint8Array(1_000_000)
    const calls = Array.from({ length: 64 }, () => context.log.append([{ key: 1, value }]))
    const outcomes = await Promise.allSettled(calls)
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'overloaded', retriable: true })
    await context.log.append([record(1, 'again')])
    const { values } = await take(await context.log.consumer(GROUP), outcomes.length - refused.length + 1)
    expect(values.at(-1)).toBe('again')
  })
}

function reopening(context: Context): void {
  const reopen = async () => {
    await context.log.close()
    context.log = await context.subject.open()
  }

  it('holds what was appended after it is opened again, and goes on above it', async () => {
    const before = await context.log.append([record(1, 'a'), record(1, 'b')])
    const { epoch } = context.log
    await reopen()
    const after = await context.log.append([record(1, 'c')])
    expect(after[0]).toBeGreaterThan(before[1])
    expect(context.log.epoch).toBe(epoch)
    const { values, positions } = await take(await context.log.consumer(GROUP), 3)
    expect(values).toEqual(['a', 'b', 'c'])
    expect(positions).toEqual([...before, ...after])
  })

  it('delivers again from the committed position', async () => {
    await context.log.append(Array.from({ length: 10 }, (_, n) => record(1, `${n}`)))
    const consumer = await context.log.consumer(GROUP)
    await commitAll(consumer, await take(consumer, 4, 4))
    await take(consumer, 6)
    await reopen()
    expect((await take(await context.log.consumer(GROUP), 6)).values).toEqual(['4', '5', '6', '7', '8', '9'])
  })

  it('has no record twice and none missing after a crash, of those acknowledged', async (test) => {
    const { crash } = context.subject
    if (crash === undefined) return test.skip()
    await Promise.all(Array.from({ length: 30 }, (_, n) => context.log.append([record(1, `${n}`)])))
    const unanswered = context.log.append([record(1, 'perhaps')]).catch(() => undefined)
    await crash.call(context.subject)
    await unanswered
    context.log = await context.subject.open()
    await context.log.append([record(1, 'last')])
    const consumer = await context.log.consumer(GROUP)
    const { values } = await take(consumer, 31)
    if (values.at(-1) === 'perhaps') values.splice(-1, 1, ...(await take(consumer, 1)).values)
    expect(values).toEqual([...Array.from({ length: 30 }, (_, n) => `${n}`), 'last'])
  })
}
