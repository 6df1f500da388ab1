/** A record that cannot be projected is buried: it holds up no other record, is not lost, and can be replayed later. */

import { expect, test } from 'vitest'
import { listDeadLetters, replayDeadLetters } from '../../../src/app/dead-letters.ts'
import { deadLettersTable, type DeadLetter } from '../../../src/engine/worker/dead-letters.ts'
import { createRivulet } from '../../../src/index.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import { rowVersion, type Store } from '../../../src/ports/store/store.ts'
import { createMemoryViews } from '../../../src/ports/views/memory/memory.ts'

const env = createRealEnv()

async function createWorld() {
  const log = createMemoryLog({ env, partitions: 1 })
  const inner = createMemoryStore({ env })
  const state = { isBroken: false, error: (): Error => new TypeError('no such row') }
  const store: Store = {
    ...inner,
    async write(rows) {
      const isPoison = rows.some(
        (row) => row.table.name === 'posts' && Buffer.from(row.value).includes('poison'),
      )
      if (state.isBroken && isPoison) throw state.error()
      await inner.write(rows)
    },
  }
  const notices: string[] = []
  const fatal: unknown[] = []
  const start = async () => {
    const views = createMemoryViews({ bytesMax: 64 * 2 ** 20 })
    const rivulet = createRivulet(
      { env, log, store, views },
      {
        secret: new Uint8Array(32).fill(1),
        onFatal: (error) => fatal.push(error),
        onNotice: (text) => notices.push(text),
      },
    )
    await rivulet.start()
    return rivulet
  }
  const letters = async () => {
    const all: DeadLetter[] = []
    await listDeadLetters({ log, store }, (letter) => all.push(letter))
    return all
  }
  return { log, store, state, notices, fatal, start, letters }
}

test('a record that is not an event is buried', async () => {
  const { log, notices, fatal, start, letters } = await createWorld()
  const rivulet = await start()
  const [position] = await log.append([{ key: 0, value: Uint8Array.of(1) }])
  const { number } = await rivulet.graph.commands.createAccount({})
  await rivulet.feed.commands.post(number, { content: 'after it' })
  await rivulet.settle()
  expect(await letters()).toMatchObject([{ partition: 0, position, isReplayed: false }])
  expect(notices).toHaveLength(1)
  expect(fatal).toEqual([])
  expect(rivulet.engine.deadLetters.stats.buried).toBe(1)
  await rivulet.stop()
})

test('empty records and foreign text are buried, and not taken for events of a newer version', async () => {
  const { log, fatal, start, letters } = await createWorld()
  const rivulet = await start()
  const foreign = ['', 'this is no event', '{"a":1}', 'x'.repeat(1_000)]
  await log.append(foreign.map((text) => ({ key: 0, value: Buffer.from(text) })))
  await rivulet.graph.commands.createAccount({})
  await rivulet.settle()
  expect(await letters()).toHaveLength(foreign.length)
  expect(fatal).toEqual([])
  await rivulet.stop()
})

test('an event whose rows cannot be written is buried, and projected once the cause is fixed and it is replayed', async () => {
  const { log, store, state, fatal, start, letters } = await createWorld()
  const rivulet = await start()
  const [ann, bob] = [
    await rivulet.graph.commands.createAccount({}),
    await rivulet.graph.commands.createAccount({}),
  ]
  await rivulet.graph.commands.follow(bob.number, ann.number)
  state.isBroken = true
  const poison = rivulet.feed.commands.post(ann.number, { content: 'poison' })
  const others = [1, 2, 3].map(() => rivulet.feed.commands.post(ann.number, { content: 'sound' }))
  await expect(poison).rejects.toMatchObject({ code: 'outcome_unknown' })
  await Promise.all(others)
  await rivulet.settle()
  const contents = async (of: typeof rivulet) => {
    const page = await of.feed.reads.home(bob.number, { limit: 10 })
    return page.items.map(({ post }) => post.content)
  }
  expect(await contents(rivulet)).toEqual(['sound', 'sound', 'sound'])
  expect(await letters()).toMatchObject([{ reason: 'no such row', isReplayed: false }])
  await rivulet.stop()
  state.isBroken = false
  expect(await replayDeadLetters({ log, store })).toBe(1)
  expect(await replayDeadLetters({ log, store })).toBe(0)
  const again = await start()
  await again.settle()
  expect(await contents(again)).toEqual(['sound', 'sound', 'sound', 'poison'])
  expect(await letters()).toMatchObject([{ isReplayed: true }])
  expect(fatal).toEqual([])
  await again.stop()
})

test('a dead letter from a log with more partitions is appended to the partition that its key has now', async () => {
  const { store, state, start, letters } = await createWorld()
  const rivulet = await start()
  const { number } = await rivulet.graph.commands.createAccount({})
  state.isBroken = true
  await rivulet.feed.commands.post(number, { content: 'poison' }).catch(() => undefined)
  await rivulet.settle()
  await rivulet.stop()
  const [letter] = await letters()
  expect(letter).toMatchObject({ epoch: 1, partition: 0, key: number })
  // As if the deployment had moved here from a log with eight partitions.
  const moved = { ...letter, epoch: 2, partition: 7 }
  const key = deadLettersTable.key(2, 7, letter.position)
  await store.write([deadLettersTable.row(key, rowVersion(2, letter.position), moved)])
  const log = createMemoryLog({ env, partitions: 3, epoch: 3 })
  expect(await replayDeadLetters({ log, store })).toBe(2)
  const ends = (await log.bounds()).map(({ end }) => end > 0)
  expect(ends.indexOf(true)).toBe(log.partitionOf(number))
  expect(ends.filter(Boolean)).toHaveLength(1)
})
