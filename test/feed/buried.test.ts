/** A post on which fan-out fails for good is not lost: its readers pull it, and it goes out once the cause is mended. */

import { expect, test } from 'vitest'
import { listDeadLetters } from '../../src/app/dead-letters.ts'
import { createRivulet } from '../../src/index.ts'
import type { DeadLetter } from '../../src/engine/worker/dead-letters.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import type { Views } from '../../src/ports/views/views.ts'

test('its followers see it all the same, in a complete page', async () => {
  const env = createRealEnv()
  const inner = createMemoryViews({ bytesMax: 16 * 2 ** 20 })
  let bad = Infinity
  const insert: Views['insert'] = async (spreads) => {
    if (spreads.some(({ ref }) => ref === bad)) throw new TypeError('a bug of fan-out')
    return inner.insert(spreads)
  }
  const views = new Proxy(inner, { get: (of, name) => (name === 'insert' ? insert : bound(of, name)) })
  const ports = {
    env,
    log: createMemoryLog({ env, partitions: 1 }),
    store: createMemoryStore({ env }),
    views,
  }
  const fatal: unknown[] = []
  const rivulet = createRivulet(ports, { secret: new Uint8Array(32), onFatal: (error) => fatal.push(error) })
  await rivulet.start()
  const { commands } = rivulet.graph
  const people = await Promise.all([1, 2, 3].map(async () => (await commands.createAccount({})).number))
  const [ann, bob, cat] = people
  await commands.follow(cat, ann)
  await commands.follow(cat, bob)
  await rivulet.feed.reads.home(cat, { limit: 10 })
  await rivulet.settle()
  bad = ann
  const lost = await rivulet.feed.commands.post(ann, { content: 'cannot be pushed' })
  const beside = await rivulet.feed.commands.post(bob, { content: 'beside it' })
  await rivulet.settle()
  const page = await rivulet.feed.reads.home(cat, { limit: 10 })
  expect(page.items.map(({ id }) => id)).toEqual([beside.id, lost.id])
  expect(page.complete).toBe(true)
  const letters: DeadLetter[] = []
  await listDeadLetters(ports, (letter) => letters.push(letter))
  expect(letters).toMatchObject([{ reactor: 'feed-home', key: ann }])
  expect(fatal).toEqual([])
  await rivulet.stop()
})

function bound(of: Views, name: string | symbol): unknown {
  const value: unknown = Reflect.get(of, name)
  return typeof value === 'function' ? value.bind(of) : value
}
