/**
 * Starts Redis: one server, or a cluster of three primaries with a replica each. Without persistence, since views can be
 * made again.
 */

import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EngineDefinition } from './engine.ts'
import { need } from './install.ts'
import { awaitReady, freePorts, type EngineNode } from './processes.ts'
import { redisServer } from './redis-releases.ts'

const HOST = '127.0.0.1'
const CLUSTER_NODES = 6
/** After so long without an answer, cluster nodes consider another node down. */
const NODE_TIMEOUT_MS = 2_000
const READY_WITHIN_MS = 20_000

/** Where the nodes run. A drill puts one of them into a network namespace of its own. */
export interface RedisPlaces {
  hostOf(index: number): string
  /** Further arguments of the server. */
  argsOf(index: number): readonly string[]
  /** A command that runs the server's command, or nothing. */
  within(index: number): readonly string[]
}

export const redisOn = (places: RedisPlaces): EngineDefinition => ({
  name: 'redis',
  async prepare(folder, nodes, report) {
    const server = await redisServer(report)
    await need('redis-cli', 'redis-tools', report)
    const count = nodes === 1 ? 1 : CLUSTER_NODES
    const ports = await freePorts(2 * count)
    return Array.from({ length: count }, (_, i) =>
      layOut({
        ...{ folder, places, server, index: i },
        ...{ port: ports[i], clusterPort: nodes === 1 ? undefined : ports[count + i] },
      }),
    )
  },
  ready: (node) =>
    awaitReady(node, READY_WITHIN_MS, async () => (await ask(node, 'PING')).startsWith('+PONG')),
  async join(nodes) {
    if (nodes.length === 1 || (await Promise.all(nodes.map(isLinked))).every(Boolean)) return
    const addresses = nodes.map(({ host, port }) => `${host}:${port}`)
    const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']
    const { status, stdout } = spawnSync('redis-cli', create, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the Redis cluster cannot be created:\n${stdout}`)
    for (const node of nodes) await awaitReady(node, READY_WITHIN_MS, () => isLinked(node))
  },
  settings: (nodes) => ({
    RIVULET_REDIS: `redis://${nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`,
  }),
})

export const redis = redisOn({ hostOf: () => HOST, argsOf: () => [], within: () => [] })

interface Layout {
  readonly folder: string
  readonly places: RedisPlaces
  readonly server: readonly string[]
  readonly index: number
  readonly port: number
  readonly clusterPort: number | undefined
}

function layOut({ folder, places, server, index, port, clusterPort }: Layout): EngineNode {
  const name = `redis-${index + 1}`
  const host = places.hostOf(index)
  const own = join(folder, name)
  mkdirSync(own, { recursive: true })
  const cluster =
    clusterPort === undefined
      ? []
      : [
          ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT_MS)],
          ...['--cluster-port', String(clusterPort), '--repl-diskless-sync-delay', '0'],
        ]
  const command = [
    ...[...places.within(index), ...server, '--port', String(port), '--bind', host, '--dir', own],
    ...['--save', '', '--appendonly', 'no', ...cluster, ...places.argsOf(index)],
  ]
  return { name, host, port, folder: own, logFile: join(own, 'server.log'), command }
}

/** Whether slots are served and primaries and replicas are linked: only then can a drill take a node away. */
async function isLinked(node: EngineNode): Promise<boolean> {
  const cluster = await ask(node, 'CLUSTER INFO')
  const replication = await ask(node, 'INFO replication')
  const hasPeer = /master_link_status:up/.test(replication) || /connected_slaves:[1-9]/.test(replication)
  if (/cluster_state:ok/.test(cluster) && hasPeer) return true
  await sleep(100)
  return false
}

/** Sends an inline command on a new connection. @returns the answer; empty if there is none */
function ask({ host, port }: EngineNode, command: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect({ host, port })
    socket.setTimeout(1_000, () => socket.destroy())
    socket.on('connect', () => socket.write(`${command}\r\nQUIT\r\n`))
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
  })
}
