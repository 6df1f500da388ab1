/** Two commands of one pair at the same moment: whichever comes first in the log, nobody follows across a block. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { openTestPorts, type TestPorts } from '../support/ports.ts'

const PAIRS = 40

let ports: TestPorts
let rivulet: Rivulet

beforeAll(async () => {
  ports = await openTestPorts(createRealEnv())
  const onFatal = (error: unknown) => {
    throw error
  }
  rivulet = createRivulet(ports, { secret: new Uint8Array(32).fill(3), onFatal })
  await rivulet.start()
})

afterAll(async () => {
  await rivulet.stop()
  await ports.close()
})

async function pairs(): Promise<[number, number][]> {
  const { commands } = rivulet.graph
  return Promise.all(
    Array.from({ length: PAIRS }, async (): Promise<[number, number]> => {
      const [a, b] = await Promise.all([commands.createAccount({}), commands.createAccount({})])
      return [a.number, b.number]
    }),
  )
}

/** For a follow that may be refused, if it comes after the block: gives the code. */
const tried = (task: Promise<unknown>) => task.catch((error: { code?: string }) => error.code)

async function expectApart(a: number, b: number): Promise<void> {
  const { commands, reads } = rivulet.graph
  const state = { following: false, followedBy: false }
  expect(await commands.relationship(a, b)).toMatchObject(state)
  expect(await commands.relationship(b, a)).toMatchObject(state)
  for (const number of [a, b]) {
    expect(await reads.followersCount(number)).toBe(0)
    expect(await reads.followingCount(number)).toBe(0)
    expect((await reads.followers(number, 0, 10)).numbers).toEqual([])
  }
}

for (const who of ['the blocked', 'the blocker'] as const) {
  test(`a follow by ${who} does not survive a block at the same moment`, async () => {
    const { commands } = rivulet.graph
    const { commands: posts, reads } = rivulet.feed
    for (const [a, b] of await pairs()) {
      const [by, of] = who === 'the blocked' ? [b, a] : [a, b]
      await posts.post(of, { content: 'for friends', visibility: 'followers' })
      const [follow] = await Promise.all([tried(commands.follow(by, of)), commands.block(a, b, true)])
      await expectApart(a, b)
      await commands.block(a, b, false)
      await expectApart(a, b)
      expect((await reads.home(by, { limit: 10 })).items).toEqual([])
      expect(follow).toSatisfy(
        (told) => told === 'follow_refused' || (told as { following: boolean }).following,
      )
      // A follow after the block is lifted counts.
      expect(await commands.follow(by, of)).toMatchObject({ following: true })
      expect((await reads.home(by, { limit: 10 })).items).toHaveLength(1)
      expect(await rivulet.graph.reads.followersCount(of)).toBe(1)
    }
  })
}

test('a follow that meets the end of a block counts, or is refused', async () => {
  const { commands, reads } = rivulet.graph
  for (const [a, b] of await pairs()) {
    await commands.block(a, b, true)
    const [follow] = await Promise.all([tried(commands.follow(a, b)), commands.block(a, b, false)])
    const counts = follow === 'follow_refused' ? 0 : 1
    expect(await commands.relationship(a, b)).toMatchObject({ following: counts === 1 })
    expect(await reads.followersCount(b)).toBe(counts)
  }
})

test('lifting a block that is not there ends no follow', async () => {
  const { commands, reads } = rivulet.graph
  const [[a, b]] = await pairs()
  const once = (key: string) => ({ scope: a, key, hash: 'x' })
  await commands.block(a, b, true)
  await commands.block(a, b, false)
  await commands.follow(a, b)
  await commands.follow(b, a)
  await commands.block(a, b, false, once('again'))
  expect(await commands.relationship(a, b)).toMatchObject({ following: true, followedBy: true })
  expect([await reads.followersCount(a), await reads.followersCount(b)]).toEqual([1, 1])
})

test('right after a block, the other side counts one follower less', async () => {
  const { commands, reads } = rivulet.graph
  for (const [a, b] of await pairs()) {
    await commands.follow(a, b)
    await commands.block(a, b, true)
    expect(await reads.followersCount(b)).toBe(0)
  }
})

test('two changes of the policy, each right by itself, cannot together contradict each other', async () => {
  const { commands } = rivulet.graph
  await Promise.all([commands.setPolicy({ active_hours: 300 }), commands.setPolicy({ inactive_days: 2 })])
  const { active_hours, inactive_days } = rivulet.graph.policies.current
  expect(active_hours).toBeLessThanOrEqual(inactive_days * 24)
})
