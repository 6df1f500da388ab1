/** Drills on Kafka, the commit point of every write. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from '../../engines/engine.ts'
import type { Drill } from '../drill.ts'
import { isDead, isFrozen, leaderOf } from './proofs.ts'

const BROKERS = { kafka: 3 } as const

async function described(kafka: Engine): Promise<{ index: number; text: string }> {
  const { index, leads, of } = await leaderOf(kafka)
  return { index, text: `${kafka.nodes[index].name}, which leads ${leads} of ${of} partitions,` }
}

const restartDead = async (kafka: Engine): Promise<void> => {
  await Promise.all([...kafka.nodes.keys()].map((index) => kafka.restart(index)))
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
  mend: ({ engines: { kafka } }) => restartDead(kafka),
}

const leaderFrozen: Drill = {
  name: 'kafka-leader-frozen',
  describe: 'three brokers: SIGSTOP of the one that leads most partitions, for at least 20 s',
  nodes: BROKERS,
  lastsMs: 20_000,
  healsByItself: true,
  async strike({ engines: { kafka }, struck }) {
    const { index, text } = await described(kafka)
    kafka.signal(index, 'SIGSTOP')
    await sleep(50)
    struck(`${text} is frozen`, isFrozen(kafka, index))
  },
  async mend({ engines: { kafka } }) {
    for (const index of kafka.nodes.keys()) kafka.signal(index, 'SIGCONT')
  },
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
  mend: ({ engines: { kafka } }) => restartDead(kafka),
}

const frozen: Drill = {
  name: 'kafka-frozen',
  describe: 'one broker, which is all there are: SIGSTOP for 8 s',
  lastsMs: 8_000,
  async strike({ engines: { kafka }, struck }) {
    kafka.signal(0, 'SIGSTOP')
    await sleep(50)
    struck('Kafka is frozen', isFrozen(kafka, 0))
  },
  async mend({ engines: { kafka } }) {
    kafka.signal(0, 'SIGCONT')
  },
}

export const kafkaDrills: readonly Drill[] = [frozen, leaderKilled, leaderFrozen, twoDown]
