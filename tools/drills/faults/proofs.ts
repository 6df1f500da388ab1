/** Proofs that a process is really dead or frozen, and the roles of an engine's nodes. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Admin } from '@platformatic/kafka'
import type { Engine } from '../../engines/engine.ts'
import { isAlive } from '../../engines/processes.ts'

export const isDead = (engine: Engine, index: number): boolean => !isAlive(engine.nodes[index])

export const isFrozen = (engine: Engine, index: number): boolean =>
  isStopped(engine.nodes[index].process?.pid)

/** Whether the system lists the process as stopped: a signal that was sent may not have arrived yet. */
export function isStopped(pid: number | undefined): boolean {
  if (pid === undefined) return false
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).startsWith('T')
}

export function isGone(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

/** Finds the broker that leads the most partitions of the topic. */
export async function leaderOf({ nodes }: Engine): Promise<{ index: number; leads: number; of: number }> {
  const admin = new Admin({
    clientId: 'drills',
    bootstrapBrokers: nodes.map(({ host, port }) => `${host}:${port}`),
  })
  try {
    const { topics, brokers } = await admin.metadata({ topics: ['rivulet'] })
    const leads = nodes.map(() => 0)
    const partitions = topics.get('rivulet')?.partitions ?? []
    for (const { leader } of partitions) {
      const port = brokers.get(leader)?.port
      const index = nodes.findIndex((node) => node.port === port)
      if (index >= 0) leads[index]++
    }
    const most = Math.max(...leads)
    return { index: leads.indexOf(most), leads: most, of: leads.reduce((sum, each) => sum + each, 0) }
  } finally {
    await admin.close()
  }
}

/** The nodes that call themselves primary. A frozen node does not answer and is left out. */
export function primariesOf({ nodes }: Engine): number[] {
  const role = (host: string, port: number) =>
    spawnSync('redis-cli', ['-h', host, '-p', String(port), 'ROLE'], { encoding: 'utf8', timeout: 500 })
      .stdout ?? ''
  return nodes.flatMap(({ host, port }, index) => (role(host, port).startsWith('master') ? [index] : []))
}
