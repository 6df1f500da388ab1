/** Faults for any engine: a frozen node, or all nodes killed; and how they are mended. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine, EngineName } from '../../engines/engine.ts'
import type { Drill, Stage } from '../drill.ts'
import { isDead, isFrozen } from './proofs.ts'

/** A signal arrives within this time. */
const ARRIVES_WITHIN_MS = 50

export async function freeze(
  { engines, struck }: Stage,
  name: EngineName,
  index: number,
  what: string,
): Promise<void> {
  engines[name].signal(index, 'SIGSTOP')
  await sleep(ARRIVES_WITHIN_MS)
  struck(`${what} is frozen`, isFrozen(engines[name], index))
}

/** Thaws every node that is frozen. */
export async function thaw(engine: Engine): Promise<void> {
  for (const index of engine.nodes.keys()) engine.signal(index, 'SIGCONT')
}

/** Starts every node that is down. */
export async function restart(engine: Engine): Promise<void> {
  await Promise.all([...engine.nodes.keys()].map((index) => engine.restart(index)))
}

/** Kills all nodes at once, and starts them again on the data that they have kept. */
export const allKilled = (name: EngineName, what: string): Pick<Drill, 'strike' | 'mend'> => ({
  async strike({ engines, struck }) {
    const engine = engines[name]
    const all = [...engine.nodes.keys()]
    await Promise.all(all.map((index) => engine.kill(index)))
    struck(
      `all nodes of ${what} are killed`,
      all.every((index) => isDead(engine, index)),
    )
  },
  mend: ({ engines }) => restart(engines[name]),
})
