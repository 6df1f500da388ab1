/**
 * Engines over weak ports and a simulated clock, for tests of the engine with domains of their own: one process whose
 * disks lose what they had not synced, or several that share a log and whose clocks are up to an hour apart.
 */

import type { Engine } from '../../src/engine/engine.ts'
import type { SharedOptions } from '../../src/engine/processes/shared.ts'
import type { RivuletPorts } from '../../src/index.ts'
import { createRandom } from '../../src/ports/env/random.ts'
import { createSimulatedEnv, type SimulatedEnv } from '../../src/ports/env/simulated.ts'
import { sleep } from '../../src/ports/env/sleep.ts'
import type { Log } from '../../src/ports/log/log.ts'
import { createMemoryDisk as createLogDisk, createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { crash, createMemoryDisk, createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import { createDriver } from '../feed/machine.ts'
import { createGroupLog } from './group-log.ts'
import { weaken } from './weak.ts'

export interface EngineProcess {
  readonly engine: Engine
}

/** Makes a process. @param onFatal fails the test, unless the process was killed before */
export type Boot<P> = (ports: RivuletPorts, onFatal: (error: unknown) => void, shared?: SharedOptions) => P

export interface EngineWorld<P> {
  readonly env: SimulatedEnv
  readonly random: () => number
  /** The ports as they are, without the faults that the processes meet. */
  readonly log: () => Log
  readonly store: () => Store
  driven<T>(task: Promise<T>): Promise<T>
  /** A random process that takes requests. */
  any(): P
  all(): readonly P[]
  /** Kills a random process, and starts another in its place after a while. */
  restart(afterMs?: number): Promise<void>
  settle(): Promise<void>
  close(): Promise<void>
}

const START_MS = Date.UTC(2026, 0, 1)
const VIEWS_BYTES = 8 * 2 ** 20
const CLOCKS_APART_MS = 3_600_000
const HORIZON_EVERY_MS = 20
const ROLES = ['all', 'worker', 'api', 'all'] as const
const PARTITIONS = 3

export interface WorldOptions {
  readonly seed: number
  readonly happened: Record<string, number>
}

export async function createAloneWorld<P extends EngineProcess>(
  { seed, happened }: WorldOptions,
  boot: Boot<P>,
): Promise<EngineWorld<P>> {
  const env = createSimulatedEnv({ seed, startMs: START_MS })
  const random = createRandom(seed ^ 0x5bd1e995)
  const [logDisk, storeDisk] = [createLogDisk(), createMemoryDisk()]
  const { driven, fail } = createDriver(env)
  const weakness = {
    delay: 0.4,
    duplicate: 0.05,
    unknown: 0.03,
    torn: 0.3,
    unavailable: 0,
    unknownAppend: 0.05,
    happened,
  }
  let incarnation = 0
  let now = await start()

  async function start() {
    const log = createMemoryLog({ env, partitions: 1, disk: logDisk })
    const store = createMemoryStore({ env, disk: storeDisk })
    const views = createMemoryViews({ bytesMax: VIEWS_BYTES })
    const weak = weaken(env, random, { log, store, views }, weakness)
    const mine = ++incarnation
    const process = boot({ env, ...weak }, (error) => void (mine === incarnation && fail(error)))
    await driven(process.engine.start())
    return { process, log, store, weak }
  }

  return {
    env,
    random,
    driven,
    log: () => now.log,
    store: () => now.store,
    any: () => now.process,
    all: () => [now.process],
    async restart(afterMs = 0) {
      now.weak.kill()
      incarnation++
      now.log.crash()
      crash(storeDisk, random)
      env.advance(afterMs)
      now = await start()
    },
    settle: () => driven(now.process.engine.settle()),
    close: () => driven(now.process.engine.stop()),
  }
}

export async function createSharedWorld<P extends EngineProcess>(
  { seed, happened }: WorldOptions,
  boot: Boot<P>,
): Promise<EngineWorld<P>> {
  const env = createSimulatedEnv({ seed, startMs: START_MS })
  const random = createRandom(seed ^ 0x5bd1e995)
  const server = createMemoryLog({ env, partitions: PARTITIONS })
  const group = createGroupLog(env, random, server)
  const store = createMemoryStore({ env })
  const views = createMemoryViews({ bytesMax: VIEWS_BYTES, lanes: PARTITIONS })
  const weakness = { delay: 0.2, duplicate: 0.05, unknown: 0.03, torn: 0.3, unavailable: 0, happened }
  const { driven, fail } = createDriver(env)
  const living: { readonly role: (typeof ROLES)[number]; readonly process: P; kill(): void }[] = []
  for (const role of ROLES) living.push(await start(role))

  async function start(role: (typeof ROLES)[number]) {
    const { log, die } = group.client()
    const aheadMs = Math.floor(random() * CLOCKS_APART_MS)
    const own = { ...env, wallMs: () => env.wallMs() + aheadMs }
    const weak = weaken(own, random, { log, store, views }, weakness)
    let isAlive = true
    const shared = { role, gate: async () => 0, horizonEveryMs: HORIZON_EVERY_MS }
    const process = boot({ env: own, ...weak }, (error) => void (isAlive && fail(error)), shared)
    await driven(process.engine.start())
    const kill = () => {
      isAlive = false
      weak.kill()
      die()
    }
    return { role, process, kill }
  }

  const serving = () => living.filter(({ role }) => role !== 'worker')
  return {
    env,
    random,
    driven,
    log: () => server,
    store: () => store,
    any: () => serving()[Math.floor(random() * serving().length)].process,
    all: () => living.map(({ process }) => process),
    async restart(afterMs = 0) {
      const at = Math.floor(random() * living.length)
      const { role, kill } = living[at]
      kill()
      env.advance(afterMs)
      living[at] = await start(role)
    },
    async settle() {
      for (const { process } of living) await driven(process.engine.settle())
      await driven(sleep(env, 2 * HORIZON_EVERY_MS))
    },
    async close() {
      for (const { process } of living) await driven(process.engine.stop())
    },
  }
}
