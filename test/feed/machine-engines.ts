/**
 * The machine of `machine.ts` on real engines. Time is real, but the wall clock may be set forward. A killed process
 * answers nothing any more; requests that it had sent to the engines may still be carried out.
 */

import { createRivulet, type Rivulet } from '../../src/app/rivulet.ts'
import { createRandom } from '../../src/ports/env/random.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import type { Views } from '../../src/ports/views/views.ts'
import { openEnginePlace, type EngineAddresses } from '../support/engine-place.ts'
import { weaken, type WeakPorts } from '../support/weak.ts'
import { losingNewest, SECRET, type Machine } from './machine.ts'

const PARTITIONS = 3
const HANGS_AFTER_MS = 60_000

export async function createEngineMachine(
  seed: number,
  capacity: number,
  happened: Record<string, number>,
  addresses: EngineAddresses,
): Promise<Machine> {
  const real = createRealEnv()
  let aheadMs = 0
  const env = { ...real, wallMs: () => real.wallMs() + aheadMs }
  const random = createRandom(seed ^ 0x5bd1e995)
  const weakness = { delay: 0.4, duplicate: 0.05, unknown: 0.03, unavailable: 0, happened }
  const place = await openEnginePlace(addresses, env, PARTITIONS, capacity)
  let views = place.newViews()
  let lost = new Map<number, number>()
  let incarnation = 0
  let fail: (error: unknown) => void = () => undefined
  const failed = new Promise<never>((_, reject) => (fail = reject))
  failed.catch(() => undefined)
  let weak: WeakPorts
  let closeLog: () => Promise<void> = async () => undefined
  let rivulet: Rivulet = await boot()

  async function boot(): Promise<Rivulet> {
    const log = await place.openLog()
    closeLog = () => log.close()
    const lossy: Views = losingNewest(() => views, lost)
    weak = weaken(env, random, { log, store: place.store, views: lossy }, weakness)
    const mine = ++incarnation
    const onFatal = (error: unknown) => void (mine === incarnation && fail(error))
    const next = createRivulet({ env, ...weak }, { secret: SECRET, onFatal })
    await driven(next.start())
    return next
  }

  function driven<T>(task: Promise<T>): Promise<T> {
    let timer: { cancel(): void } | undefined
    const hangs = new Promise<never>((_, reject) => {
      timer = real.timer(HANGS_AFTER_MS, () => reject(new Error('the engine hangs')))
    })
    return Promise.race([task, failed, hangs]).finally(() => timer?.cancel())
  }

  return {
    random,
    driven,
    get rivulet() {
      return rivulet
    },
    pass: (ms) => void (aheadMs += ms),
    evict: (owner) => views.evict([owner]),
    loseAbove: (owner, id) => void lost.set(owner, id),
    async restart(keepViews) {
      weak.kill()
      incarnation++
      await closeLog()
      if (!keepViews) await place.loseViews()
      if (!keepViews) lost = new Map()
      views = place.newViews()
      rivulet = await boot()
    },
    async close() {
      await driven(rivulet.stop())
      await place.close()
    },
  }
}
