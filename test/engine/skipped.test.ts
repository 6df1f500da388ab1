/** An owner tells the other processes which events its projection passed over, in time and in the right partition. */

import { afterEach, expect, test } from 'vitest'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import type { Role } from '../../src/engine/processes/shared.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'

const PARTITIONS = 4
const started: Rivulet[] = []
afterEach(() => Promise.all(started.splice(0).map((rivulet) => rivulet.stop())))

/** An API process and a worker, on one log. */
async function startTwo() {
  const env = createRealEnv()
  const log = createMemoryLog({ env, partitions: PARTITIONS })
  const ports = {
    env,
    log,
    store: createMemoryStore({ env }),
    views: createMemoryViews({ bytesMax: 64 * 2 ** 20, lanes: PARTITIONS }),
  }
  const start = async (role: Role) => {
    const shared = { role, gate: async () => 0, horizonEveryMs: 20 }
    const rivulet = createRivulet(ports, { secret: new Uint8Array(32), shared })
    started.push(rivulet)
    await rivulet.start()
    return rivulet
  }
  await start('worker')
  const api = await start('api')
  const { graph } = api
  let ann = 0
  // An account outside of partition 0, because there the worker tells the progress of all partitions.
  while (log.partitionOf(ann) === 0) ann = (await graph.commands.createAccount({})).number
  const bob = (await graph.commands.createAccount({})).number
  await graph.commands.follow(bob, ann)
  await api.settle()
  return { api, ann, bob }
}

test('the last event of a quiet partition is passed over: its writer does not wait until the deadline', async () => {
  const { api, ann, bob } = await startTwo()
  const post = () => api.feed.commands.post(ann, { content: 'once' }, { scope: ann, key: 'same', hash: 'h' })
  await post()
  // As if two processes had carried out the request: its second event is alone in its batch.
  await expect(post()).rejects.toMatchObject({
    code: 'outcome_unknown',
    message: expect.stringContaining('passed over'),
  })
  await api.settle()
  expect(api.engine.lagEvents()).toBe(0)
  const page = await api.feed.reads.home(bob, { limit: 10 })
  expect(page.items).toHaveLength(1)
})
