/** Appends: positions, order within a key, calls that stay together, and which bytes they take. */

import { expect, it } from 'vitest'
import { LIMITS } from '../../../core/limits.ts'
import { type Context, GROUP, record, take, texts } from './context.ts'

export function appending(context: Context): void {
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

  it('gives the consumer the positions that append gave', async () => {
    const positions = await context.log.append([record(5, 'a'), record(5, 'b'), record(5, 'c')])
    expect((await take(await context.log.consumer(GROUP), 3)).positions).toEqual(positions)
  })
}

export function appendedBytes(context: Context): void {
  it('has taken the bytes when the call returns', async () => {
    const value = Buffer.from('before')
    const pending = context.log.append([{ key: 1, value }])
    value.fill(0)
    await pending
    expect((await take(await context.log.consumer(GROUP), 1)).values).toEqual(['before'])
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
