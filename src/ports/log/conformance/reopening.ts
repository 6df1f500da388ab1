/** What a log holds after it is closed, or crashes, and is opened again. */

import { expect, it } from 'vitest'
import { type Context, commitAll, GROUP, record, take } from './context.ts'

export function reopening(context: Context): void {
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
