/** Measures the bytes that a deployment stores: Kafka's segments, Cassandra's flushed tables, and Redis' memory. */

import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import type { EngineNode } from '../tools/engines/processes.ts'
import type { Deployment } from './deployment.ts'

/** Bytes of each table, in all its files. */
export type TableBytes = ReadonlyMap<string, number>

const TOPIC_FOLDER = /^rivulet-\d+$/
const KEYSPACE = 'rivulet'
/** Cassandra removes merged files a moment later. */
const REMOVAL_MS = 500

/** Counts segments only, because Kafka allocates index files in advance. */
export function kafkaBytes({ engines }: Deployment): number {
  const data = join(engines.kafka.nodes[0].folder, 'data')
  const topics = readdirSync(data).filter((name) => TOPIC_FOLDER.test(name))
  return sum(topics.map((name) => filesBytes(join(data, name), '.log')))
}

/** Flushes tables and merges each into one file, as they would be in the long run. */
export async function cassandraBytes({ engines }: Deployment): Promise<TableBytes> {
  const [node] = engines.cassandra.nodes
  nodetool(node, 'flush')
  nodetool(node, 'compact')
  await sleep(REMOVAL_MS)
  const keyspace = join(node.folder, 'data', KEYSPACE)
  return new Map(
    readdirSync(keyspace).map((name) => [name.split('-')[0], filesBytes(join(keyspace, name), '')]),
  )
}

export const totalBytes = (tables: TableBytes, names: readonly string[]): number =>
  sum(names.map((name) => tables.get(name) ?? 0))

/** By how many bytes each table has grown, the largest growth first. */
export function grownBytes(before: TableBytes, after: TableBytes): [name: string, bytes: number][] {
  const grown = Array.from(after, ([name, bytes]): [string, number] => [
    name,
    bytes - (before.get(name) ?? 0),
  ])
  return grown.filter(([, bytes]) => bytes > 0).toSorted(([, a], [, b]) => b - a)
}

export async function redisBytes({ engines }: Deployment): Promise<number> {
  const [{ host, port }] = engines.redis.nodes
  const client = createClient({ socket: { host, port } })
  await client.connect()
  const info = await client.info('memory')
  client.destroy()
  return Number(/used_memory:(\d+)/.exec(info)?.[1])
}

/** Runs Cassandra's command `nodetool`, with the jars and the flags of its server. */
function nodetool({ command, folder }: EngineNode, task: 'flush' | 'compact'): void {
  const valueOf = (name: string) => command[command.indexOf(name) + 1]
  const modules = command.flatMap((arg, i) => (arg.startsWith('--add-') ? [arg, command[i + 1]] : []))
  const jmxPort = command.find((arg) => arg.includes('jmx.local.port'))?.split('=')[1]
  const args = ['-Xmx128m', '-XX:TieredStopAtLevel=1', ...modules, `-Duser.home=${folder}`]
  const main = ['org.apache.cassandra.tools.NodeTool', '-p', String(jmxPort), task, KEYSPACE]
  const { status, stdout } = spawnSync(command[0], [...args, '-cp', valueOf('-cp'), ...main], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`nodetool ${task} ended with ${status}:\n${stdout}`)
}

function filesBytes(folder: string, ending: string): number {
  const files = readdirSync(folder, { withFileTypes: true }).filter((file) => file.isFile())
  return sum(
    files.filter(({ name }) => name.endsWith(ending)).map(({ name }) => statSync(join(folder, name)).size),
  )
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
