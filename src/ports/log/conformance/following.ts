/** Followers: readers outside of any group. */

import { expect, it } from 'vitest'
import { type Context, commitAll, expectCode, GROUP, keysOf, record, take, texts } from './context.ts'

const append = (context: Context, keys: readonly number[], text: string) =>
  context.log.append(keys.map((key) => record(key, text)))
/** Appends the records `0`, `1`, … under one key. */
const fill = (context: Context, count: number) =>
  context.log.append(Array.from({ length: count }, (_, n) => record(1, `${n}`)))

export function following(context: Context): void {
  it('reads what it is told to, from where it is told to, each partition by itself', async () => {
    const { log } = context
    const keys = keysOf(log)
    await append(context, keys, 'a')
    const positions = await append(context, keys, 'b')
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
    const positions = await fill(context, 30)
    const follower = await context.log.follow()
    for (const n of [17, 3, 29, 1]) {
      await follower.seek(context.log.partitionOf(1), positions[n - 1] + 1)
      expect((await take(follower, 1, 1)).values).toEqual([`${n}`])
    }
  })

  it('is any number of followers beside the group, which stays where it is', async () => {
    const positions = await fill(context, 10)
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
}

export function leaving(context: Context): void {
  it('gives nothing of a partition that it left, also not by a `next` under way', async () => {
    const positions = await fill(context, 3)
    const partition = context.log.partitionOf(1)
    const follower = await context.log.follow()
    await follower.seek(partition, positions[0])
    await take(follower, 1, 1)
    const waiting = follower.next(1)
    follower.leave(partition)
    await fill(context, 1)
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
    const positions = await append(context, keys, 'first')
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
