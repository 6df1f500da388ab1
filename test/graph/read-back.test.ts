/** A write is in the log, but its result cannot be read: the answer must not say that nothing happened. */

import { expect, test } from 'vitest'
import { RivuletError } from '../../src/core/errors.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { createRivulet } from '../../src/index.ts'
import { openTestPorts } from '../support/ports.ts'

/** Reads of circles fail while `isDown`. */
function failing(store: Store, isDown: () => boolean): Store {
  return {
    ...store,
    range: (ranges) =>
      isDown() && ranges.some(({ table }) => table.name === 'circles')
        ? Promise.reject(new RivuletError('unavailable', 'no answer'))
        : store.range(ranges),
  }
}

test('the answer to a follow is unknown when only its reading back fails', async () => {
  const ports = await openTestPorts(createRealEnv())
  let isDown = false
  const store = failing(ports.store, () => isDown)
  const onFatal = (error: unknown) => {
    throw error
  }
  const rivulet = createRivulet({ ...ports, store }, { secret: new Uint8Array(32).fill(3), onFatal })
  await rivulet.start()
  const { commands, circles } = rivulet.graph
  const alice = await commands.createAccount({ handle: 'alice' })
  const bob = await commands.createAccount({ handle: 'bob' })
  await commands.relationship(alice.number, bob.number)
  // Bob's circle is read for the answer only; the follow itself needs just the cached circle of alice.
  circles.drop(bob.number)
  isDown = true
  await expect(commands.follow(alice.number, bob.number)).rejects.toMatchObject({ code: 'outcome_unknown' })
  isDown = false
  expect([...(await circles.of(alice.number)).following]).toEqual([bob.number])
  await rivulet.stop()
  await ports.close()
})
