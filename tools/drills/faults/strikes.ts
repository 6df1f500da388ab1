/** What is done to any engine: a node frozen, all of them killed, and the mending of both. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine, EngineName } from '../../engines/engine.ts'
import type { Drill, Stage } from '../drill.ts'
import { isDead, isFrozen } from './proofs.ts'

/** A signal takes a moment to arrive. */
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

/** Whichever of them is frozen. */
export async function thaw(engine: Engine): Promise<void> {
  for (const index of engine.nodes.keys()) engine.signal(index, 'SIGCONT')
}

/** Those that are there stay as they are. */
export async function restart(engine: Engine): Promise<void> {
  await Promise.all([...engine.nodes.keys()].map((index) => engine.restart(index)))
}

/** All nodes killed at once, and started again; each has what it kept. */
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
