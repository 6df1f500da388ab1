/** What a log refuses: limits, second consumers, impossible positions, calls after `close`, overload. */

import { expect, it } from 'vitest'
import { LIMITS } from '../../../core/limits.ts'
import { type Context, expectCode, GROUP, record, take } from './context.ts'
import { appendRecordsMax } from '../log.ts'

export function refusing(context: Context, overload: boolean): void {
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
