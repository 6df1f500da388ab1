/**
 * Several processes over one log, one store and the same timelines, with clocks that differ. Each may be killed and is
 * then replaced. Writes and reads go through a random one.
 */

import { createRivulet, type Rivulet } from '../../src/app/rivulet.ts'
import { sleep } from '../../src/ports/env/sleep.ts'
import { createRandom } from '../../src/ports/env/random.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews, memoryViewsBytesMin } from '../../src/ports/views/memory/memory.ts'
import { createGroupLog } from '../support/group-log.ts'
import { weaken } from '../support/weak.ts'
import { createDriver, losingNewest, SECRET, START_MS, type Machine } from './machine.ts'

const PARTITIONS = 3
const ROLES = ['all', 'worker', 'api', 'all'] as const
const CLOCKS_APART_MS = 3_600_000
const HORIZON_EVERY_MS = 20
const REST_MS = 100
const GLANCES = 2
/** Simulated time after a long pause, within which all processes trust themselves again. */
const RECOVERY_MS = 2_000

interface Process {
  readonly role: (typeof ROLES)[number]
  readonly rivulet: Rivulet
  kill(): void
}

export async function createSharedMachine(
  seed: number,
  capacity: number,
  happened: Record<string, number>,
): Promise<Machine> {
  const env = createSimulatedEnv({ seed, startMs: START_MS })
  const random = createRandom(seed ^ 0x5bd1e995)
  const server = createMemoryLog({ env, partitions: PARTITIONS })
  const group = createGroupLog(env, random, server)
  const store = createMemoryStore({ env })
  const weakness = { delay: 0.2, duplicate: 0.05, unknown: 0.03, unavailable: 0, happened }
  const newViews = () =>
    createMemoryViews({ bytesMax: 64 * memoryViewsBytesMin(capacity), capacity, lanes: PARTITIONS })
  let views = newViews()
  const lost = new Map<number, number>()
  const { driven, fail } = createDriver(env)
  const processes: Process[] = []
  for (const role of ROLES) processes.push(await boot(role))

  async function boot(role: Process['role']): Promise<Process> {
    const { log, die } = group.client()
    const aheadMs = Math.floor(random() * CLOCKS_APART_MS)
    const own = { ...env, wallMs: () => env.wallMs() + aheadMs }
    const weak = weaken(own, random, { log, store, views: losingNewest(() => views, lost) }, weakness)
    let isAlive = true
    const rivulet = createRivulet(
      { env: own, ...weak },
      {
        secret: SECRET,
        shared: { role, gate: async () => 0, horizonEveryMs: HORIZON_EVERY_MS },
        onFatal: (error) => isAlive && fail(error),
      },
    )
    await driven(rivulet.start())
    const kill = () => {
      isAlive = false
      weak.kill()
      die()
    }
    return { role, rivulet, kill }
  }

  const serving = () => processes.filter(({ role }) => role !== 'worker')
  const anyOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]

  return {
    random,
    driven,
    get rivulet() {
      return anyOf(serving()).rivulet
    },
    glances: GLANCES,
    turn: () => env.yield(),
    rest: () => driven(sleep(env, REST_MS)),
    /** Other processes know of an acknowledged write only a moment later: waits until they do. */
    async fresh() {
      await driven(Promise.all(serving().map(({ rivulet }) => rivulet.engine.caughtUp())))
    },
    async pass(ms) {
      env.advance(ms)
      await driven(sleep(env, RECOVERY_MS))
    },
    evict: (owner) => views.evict([owner]),
    loseAbove: (owner, id) => void lost.set(owner, id),
    async restart(keepViews) {
      const at = Math.floor(random() * processes.length)
      const { role, kill } = processes[at]
      kill()
      if (!keepViews) {
        views = newViews()
        lost.clear()
      }
      processes[at] = await boot(role)
    },
    async settle() {
      for (const { rivulet } of processes) await driven(rivulet.settle())
    },
    async close() {
      for (const { rivulet } of processes) await driven(rivulet.stop())
    },
  }
}
