/** The changes that a group sends to a Redis whose answers the test chooses. */

import { expect, it } from 'vitest'
import { RivuletError } from '../../../../src/core/errors.ts'
import { createSimulatedEnv } from '../../../../src/ports/env/simulated.ts'
import type { Redis, Reply } from '../../../../src/ports/drivers/redis.ts'
import { createGroup } from '../../../../src/ports/views/redis/group.ts'
import { createLanes } from '../../../../src/ports/views/redis/lanes.ts'
import { groupBytesOf } from '../../../../src/ports/views/redis/layout.ts'
import { ADVANCE, EVICT, INSERT, LOST, MISMATCH, RESET } from '../../../../src/ports/views/redis/scripts.ts'

const NAMES = new Map([
  [ADVANCE, 'advance'],
  [EVICT, 'evict'],
  [INSERT, 'insert'],
  [RESET, 'reset'],
])
const change = (script = INSERT) => ({ script, args: [Buffer.of(1)], isRepeatable: true })

function start(answer: (name: string) => Reply | Promise<Reply>) {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  const said: { readonly name: string; readonly last: unknown }[] = []
  const run: Redis['run'] = async (script, _, args) => {
    const name = NAMES.get(script) ?? ''
    said.push({ name, last: args.at(-1) })
    return answer(name)
  }
  const lanes = createLanes(2)
  const stats = { replays: 0, resets: 0, lost: 0 }
  const group = createGroup({
    env,
    redis: { run } as unknown as Redis,
    name: 'g',
    writer: 'w',
    bytes: groupBytesOf(2),
    lanes,
    stats,
    onNotice: () => undefined,
  })
  async function pass(ms: number): Promise<void> {
    env.advance(ms)
    for (let i = 0; i < 50; i++) await env.yield()
  }
  return { group, lanes, stats, said, pass, names: () => said.map(({ name }) => name) }
}

it('gives up a group whose lane stands too low, and makes the change after that', async () => {
  const answers: Reply[] = [[LOST]]
  const { group, names } = start((name) => (name === 'advance' ? (answers.shift() ?? []) : []))
  await group.change(change(ADVANCE))
  expect(names()).toEqual(['advance', 'reset', 'advance'])
})

it('gives up in turn: after what was asked for before, and before what comes later', async () => {
  const { group, names } = start(() => [])
  await Promise.all([group.change(change()), group.giveUp(), group.change(change(EVICT))])
  expect(names()).toEqual(['insert', 'reset', 'evict'])
})

it('gives up what cannot be made again because a lane stands too low', async () => {
  const answers: Reply[] = [[], [], [MISMATCH, Buffer.from('1')], [LOST]]
  const { group, names, stats } = start((name) => (name === 'reset' ? [] : (answers.shift() ?? [])))
  for (const script of [INSERT, ADVANCE, INSERT]) await group.change(change(script))
  expect(names()).toEqual(['insert', 'advance', 'insert', 'advance', 'reset', 'insert'])
  expect(stats).toMatchObject({ replays: 0, resets: 1 })
})

it('tells a group that comes back what others were told while its new generation was on the way', async () => {
  let answerReset: (reply: Reply) => void = () => undefined
  let isFull = true
  const { group, lanes, said, stats, pass, names } = start((name) => {
    if (name === 'reset') return new Promise((resolve) => (answerReset = resolve))
    if (isFull) throw new RivuletError('overloaded', 'no memory')
    return []
  })
  expect(await group.change(change())).toBeUndefined()
  isFull = false
  await pass(1_000)
  lanes.want(new Map([[1, 70]]))
  lanes.round().end()
  answerReset([])
  await pass(0)
  expect(names()).toEqual(['insert', 'reset', 'advance'])
  expect(said[2].last).toEqual(lanes.all())
  expect(lanes.all().readDoubleLE(12)).toBe(70)
  expect(stats).toMatchObject({ lost: 0, resets: 1 })
})
