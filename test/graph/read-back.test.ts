/** A write that stands in the log while what it made cannot be read: nobody is told that nothing happened. */

import { expect, test } from 'vitest'
import { RivuletError } from '../../src/core/errors.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { createRivulet } from '../../src/index.ts'
import { openTestPorts } from '../support/ports.ts'

/** The followers of one account cannot be read while `isDown` says so. */
function failing(store: Store, isDown: (partition: string) => boolean): Store {
  return {
    ...store,
    get: (keys) =>
      keys.some(({ table, partition }) => table.name === 'follower_heads' && isDown(partition))
        ? Promise.reject(new RivuletError('unavailable', 'no answer'))
        : store.get(keys),
  }
}

test('the answer to a follow is unknown when only its reading back fails', async () => {
  const ports = await openTestPorts(createRealEnv())
  // Whom alice's followers are is read for the answer; following writes and reads those of bob.
  const read: string[] = []
  let down: readonly string[] = []
  const store = failing(ports.store, (partition) => {
    read.push(partition)
    return down.includes(partition)
  })
  const onFatal = (error: unknown) => {
    throw error
  }
  const rivulet = createRivulet({ ...ports, store }, { secret: new Uint8Array(32).fill(3), onFatal })
  await rivulet.start()
  const { commands, circles } = rivulet.graph
  const alice = await commands.createAccount({ handle: 'alice' })
  const bob = await commands.createAccount({ handle: 'bob' })
  await commands.relationship(alice.number, bob.number)
  down = [...read]
  await expect(commands.follow(alice.number, bob.number)).rejects.toMatchObject({ code: 'outcome_unknown' })
  down = []
  expect([...(await circles.of(alice.number)).following]).toEqual([bob.number])
  await rivulet.stop()
  await ports.close()
})
