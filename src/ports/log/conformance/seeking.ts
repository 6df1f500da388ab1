/** `seek` of a consumer. */

import { expect, it } from 'vitest'
import { type Context, GROUP, record, take, texts } from './context.ts'

export function seeking(context: Context): void {
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
