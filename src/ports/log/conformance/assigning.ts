/** `onAssigned`: a consumer learns its partitions. */

import { expect, it } from 'vitest'
import { type Context, GROUP, keysOf, record, take, texts } from './context.ts'
import type { LogConsumer } from '../log.ts'

export function assigning(context: Context): void {
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
