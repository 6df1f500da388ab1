/** A whole engine over weak ports and a simulated clock: it may be killed, restarted, and lose its views. */

import { createRivulet, type Rivulet } from '../../src/app/rivulet.ts'
import { createSimulatedEnv, type SimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createRandom } from '../../src/ports/env/random.ts'
import { createMemoryDisk as createLogDisk, createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { crash, createMemoryDisk, createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews, memoryViewsBytesMin } from '../../src/ports/views/memory/memory.ts'
import type { Views } from '../../src/ports/views/views.ts'
import { weaken, type WeakPorts } from '../support/weak.ts'

export const START_MS = Date.UTC(2026, 0, 1)
export const SECRET = new Uint8Array(32).fill(7)

export interface Machine {
  /** The process that runs now, or one of them. */
  readonly rivulet: Rivulet
  readonly random: () => number
  /** Waits for a task, and moves the simulated clock meanwhile. */
  driven<T>(task: Promise<T>): Promise<T>
  /** How many feeds are read while each post is being written. */
  readonly glances?: number
  turn?(): Promise<void>
  /** The pause before a refused write is tried again. */
  rest?(): Promise<void>
  /** Resolves once every process knows of all acknowledged writes. */
  fresh?(): Promise<void>
  pass(ms: number): void | Promise<void>
  evict(owner: number): Promise<void>
  /** The owner's timeline loses its entries above `id`, and its header shows it. */
  loseAbove(owner: number, id: number): void
  /** Kills the process, loses what the disks had not synced, and starts the next one. */
  restart(keepViews: boolean): Promise<void>
  /** Resolves once everything written is in the views, and every process knows of it. */
  settle?(): Promise<void>
  /** After its last step. */
  close(): Promise<void>
}

export async function createMachine(
  seed: number,
  capacity: number,
  happened: Record<string, number>,
): Promise<Machine> {
  const env: SimulatedEnv = createSimulatedEnv({ seed, startMs: START_MS })
  const random = createRandom(seed ^ 0x5bd1e995)
  const logDisk = createLogDisk()
  const storeDisk = createMemoryDisk()
  const weakness = { delay: 0.4, duplicate: 0.05, unknown: 0.03, unavailable: 0, happened }
  let views = newViews()
  let lost = new Map<number, number>()
  const { driven, fail } = createDriver(env)
  let incarnation = 0
  let weak: WeakPorts
  let log = createMemoryLog({ env, partitions: 1, disk: logDisk })
  let rivulet: Rivulet = await boot()

  function newViews(): Views {
    return createMemoryViews({ bytesMax: 64 * memoryViewsBytesMin(capacity), capacity })
  }

  async function boot(): Promise<Rivulet> {
    log = createMemoryLog({ env, partitions: 1, disk: logDisk })
    weak = weaken(
      env,
      random,
      { log, store: createMemoryStore({ env, disk: storeDisk }), views: losingNewest(() => views, lost) },
      weakness,
    )
    const mine = ++incarnation
    // Errors of a process that was killed do not count.
    const onFatal = (error: unknown) => void (mine === incarnation && fail(error))
    const next = createRivulet({ env, ...weak }, { secret: SECRET, onFatal })
    await driven(next.start())
    return next
  }

  async function restart(keepViews: boolean): Promise<void> {
    weak.kill()
    incarnation++
    log.crash()
    crash(storeDisk, random)
    if (!keepViews) views = newViews()
    if (!keepViews) lost = new Map()
    rivulet = await boot()
  }

  return {
    random,
    driven,
    restart,
    get rivulet() {
      return rivulet
    },
    pass: (ms) => env.advance(ms),
    evict: (owner) => views.evict([owner]),
    loseAbove: (owner, id) => void lost.set(owner, id),
    close: () => driven(rivulet.stop()),
  }
}

/** Timers of the simulated clock fire only when it moves: this moves it a little as long as a task waits. */
export function createDriver(env: SimulatedEnv) {
  let fatal: unknown
  return {
    fail: (error: unknown) => void (fatal ??= error),
    async driven<T>(task: Promise<T>): Promise<T> {
      let done = false
      const end = () => void (done = true)
      task.then(end, end)
      for (let turns = 0; !done; turns++) {
        for (let i = 0; i < 50 && !done; i++) await env.yield()
        if (fatal !== undefined) throw fatal
        if (!done) env.advance(5)
        if (turns > 20_000) throw new Error('the engine hangs')
      }
      return task
    },
  }
}

/** Views that lose an owner's entries above the id in `lost`; the header's horizon then lies below them. */
export function losingNewest(current: () => Views, lost: Map<number, number>): Views {
  const inner = current()
  const range: Views['range'] = async (owner, below, limit) => {
    const to = lost.get(owner)
    const page = await current().range(owner, to === undefined ? below : Math.min(below, to + 1), limit)
    if (page === undefined || to === undefined) return page
    const horizons = Array.from(page.header.horizons, (horizon) => Math.min(to, horizon))
    return { ...page, header: { ...page.header, horizons } }
  }
  const open: Views['open'] = (owners) => {
    for (const owner of owners) lost.delete(owner)
    return current().open(owners)
  }
  return {
    capacity: inner.capacity,
    lanes: inner.lanes,
    insert: (spreads) => current().insert(spreads),
    advance: (horizons) => current().advance(horizons),
    merge: (owner, epoch, entries) => current().merge(owner, epoch, entries),
    settle: (owner, epoch, floor) => current().settle(owner, epoch, floor),
    evict: (owners) => current().evict(owners),
    adopt: (horizons) => current().adopt(horizons),
    stats: () => current().stats(),
    close: () => current().close(),
    open,
    range,
  }
}
