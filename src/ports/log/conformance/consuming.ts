/** Consumers of a group: batches, commits and the log's bounds. */

import { expect, it } from 'vitest'
import { LIMITS } from '../../../core/limits.ts'
import { type Context, commitAll, GROUP, record, take, texts } from './context.ts'

export function batches(context: Context): void {
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
}

export function groups(context: Context): void {
  it('serves groups independently', async () => {
    await context.log.append([record(1, 'a'), record(1, 'b')])
    const [one, two] = [await context.log.consumer('one'), await context.log.consumer('two')]
    await commitAll(one, await take(one, 2))
    expect((await take(two, 2)).values).toEqual(['a', 'b'])
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
