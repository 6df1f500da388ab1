/** A store that fails once a write is in the log: the write is never reported as failed, and a retry finds it. */

import { expect, test } from 'vitest'
import { RivuletError } from '../../src/core/errors.ts'
import { createRivulet } from '../../src/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import { createWorld } from './world.ts'

test('an accepted write is never reported as failed', async () => {
  const env = createRealEnv()
  const log = createMemoryLog({ env, partitions: 1 })
  const inner = createMemoryStore({ env })
  const state = { failing: false, failAfterAppend: false }
  const store: Store = {
    ...inner,
    async get(keys) {
      if (state.failing) throw new RivuletError('unavailable', 'the store is away')
      return inner.get(keys)
    },
    // The rows are written before the writer goes on; only its reads afterwards fail.
    async write(rows) {
      await inner.write(rows)
      if (state.failAfterAppend && rows.some(({ table }) => table.name === 'accounts')) state.failing = true
    },
    async range(ranges) {
      if (state.failing) throw new RivuletError('unavailable', 'the store is away')
      return inner.range(ranges)
    },
  }
  const rivulet = createRivulet(
    {
      env,
      log,
      store,
      views: createMemoryViews({ bytesMax: 64 * 2 ** 20 }),
    },
    { secret: new Uint8Array(32).fill(3), onFatal: () => undefined },
  )
  await rivulet.start()
  const world = await createWorld({ rivulet })
  const ann = await world.person('ann')
  const put = (key: string) =>
    world.call('PUT', '/api/v1/accounts/ext:late', {
      as: 'server-key-of-the-tests-0123456789',
      body: { display_name: 'Late' },
      headers: { 'idempotency-key': key },
    })
  state.failAfterAppend = true
  const first = await put('one')
  expect(first.json).toMatchObject({ status: 504, code: 'outcome_unknown', retriable: true })
  state.failAfterAppend = false
  // Before anything was appended, the write has simply failed.
  const refused = await world.call('GET', `/api/v1/accounts/ext:nobody`, { as: ann.token })
  expect(refused.json).toMatchObject({ status: 503, code: 'unavailable' })
  state.failing = false
  const retried = await put('two')
  expect(retried.status).toBe(200)
  expect(retried.json).toMatchObject({ external_id: 'late', display_name: 'Late' })
  await world.close()
})
