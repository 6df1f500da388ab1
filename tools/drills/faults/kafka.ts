/** Drills on Kafka, the commit point of every write. */

import type { Engine } from '../../engines/engine.ts'
import type { Drill } from '../drill.ts'
import { isDead, leaderOf } from './proofs.ts'
import { freeze, restart, thaw } from './strikes.ts'

const BROKERS = { kafka: 3 } as const

async function described(kafka: Engine): Promise<{ index: number; text: string }> {
  const { index, leads, of } = await leaderOf(kafka)
  return { index, text: `${kafka.nodes[index].name}, which leads ${leads} of ${of} partitions,` }
}

const leaderKilled: Drill = {
  name: 'kafka-leader-killed',
  describe: 'three brokers: kill -9 of the one that leads most partitions',
  nodes: BROKERS,
  lastsMs: 15_000,
  healsByItself: true,
  async strike({ engines: { kafka }, struck }) {
    const { index, text } = await described(kafka)
    await kafka.kill(index)
    struck(`${text} is killed`, isDead(kafka, index))
  },
  mend: ({ engines }) => restart(engines.kafka),
}

const leaderFrozen: Drill = {
  name: 'kafka-leader-frozen',
  describe: 'three brokers: SIGSTOP of the one that leads most partitions, for at least 20 s',
  nodes: BROKERS,
  lastsMs: 20_000,
  healsByItself: true,
  async strike(stage) {
    const { index, text } = await described(stage.engines.kafka)
    await freeze(stage, 'kafka', index, text)
  },
  mend: ({ engines }) => thaw(engines.kafka),
}

const twoDown: Drill = {
  name: 'kafka-two-down',
  describe: 'three brokers: kill -9 of two, started again 15 s later; no write may be acknowledged meanwhile',
  nodes: BROKERS,
  lastsMs: 15_000,
  refusesWrites: true,
  async strike({ engines: { kafka }, struck }) {
    await Promise.all([kafka.kill(0), kafka.kill(1)])
    struck('two of three brokers are killed', isDead(kafka, 0) && isDead(kafka, 1))
  },
  mend: ({ engines }) => restart(engines.kafka),
}

const frozen: Drill = {
  name: 'kafka-frozen',
  describe: 'the only broker: SIGSTOP for 8 s',
  lastsMs: 8_000,
  strike: (stage) => freeze(stage, 'kafka', 0, 'Kafka'),
  mend: ({ engines }) => thaw(engines.kafka),
}

export const kafkaDrills: readonly Drill[] = [frozen, leaderKilled, leaderFrozen, twoDown]
