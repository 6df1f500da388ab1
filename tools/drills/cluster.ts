/** Starts and ends the engines and servers of a drill, with their data in a folder that is removed in the end. */

import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cassandra } from '../engines/cassandra.ts'
import { ENGINE_NAMES, openEngineFolder, type Engine, type EngineName } from '../engines/engine.ts'
import { kafka } from '../engines/kafka.ts'
import { freePorts } from '../engines/processes.ts'
import { redis } from '../engines/redis.ts'
import { importCrowd } from './crowd.ts'
import { command, createServer, type Role, type Server, type Settings } from './server.ts'
import { createSplitNetwork, type SplitNetwork } from './split-network.ts'

export type NodeCounts = Partial<Record<EngineName, 1 | 3>>

export interface Needs {
  /** Nodes of each engine; 1 by default. */
  readonly nodes?: NodeCounts
  /** One server of role `all`. By default there are two of role `api` and two of role `worker`. */
  readonly isAlone?: boolean
  /** The first node of Redis can be cut off from the others. */
  readonly splitsRedis?: boolean
  /** Number of followers of one more author, beside the small world. */
  readonly crowd?: number
}

export interface Cluster {
  readonly engines: Readonly<Record<EngineName, Engine>>
  readonly servers: readonly Server[]
  readonly apis: readonly Server[]
  readonly workers: readonly Server[]
  readonly serverKey: string
  /** Set if the drill needs it. */
  readonly network: SplitNetwork | undefined
  /** Makes another server, and does not start it. */
  addServer(role: Role): Promise<Server>
}

export interface ClusterHolder {
  readonly folder: string
  open(needs: Needs): Promise<Cluster>
  /** Ends all that was started, even in the middle of `open`, and deletes the data unless it is to be kept. */
  close(): Promise<void>
}

const DEFINITIONS = { kafka, cassandra, redis }
const SERVER_KEY = 'server-key-of-the-drills'
const ALONE: readonly Role[] = ['all']
const SEVERAL: readonly Role[] = ['api', 'api', 'worker', 'worker']

/** The folder of all drills of this command; each drill has a folder in it. */
const SCRATCH = join(tmpdir(), `rivulet-drills-${process.pid}`)

export interface HolderOptions {
  /** The name of the drill, and of its folder. */
  readonly name: string
  readonly keep: boolean
  /** A built checkout, from which servers are started for the first time. */
  readonly from: string | undefined
  readonly say: (line: string) => void
}

export function createClusterHolder({ name, keep, from, say }: HolderOptions): ClusterHolder {
  const folder = join(SCRATCH, name)
  const engineFolder = openEngineFolder(folder)
  const servers: Server[] = []
  /** Settles once no engine is starting any more. */
  let opening: Promise<unknown> = Promise.resolve()
  let network: SplitNetwork | undefined

  async function openEngines(nodes: NodeCounts): Promise<Cluster['engines']> {
    mkdirSync(folder, { recursive: true })
    const definitions = { ...DEFINITIONS, ...(network !== undefined && { redis: network.redis }) }
    const up = ENGINE_NAMES.map((engine) => engineFolder.up(definitions[engine], nodes[engine] ?? 1, say))
    opening = Promise.allSettled(up)
    const started = await Promise.all(up)
    return Object.fromEntries(started.map((engine) => [engine.name, engine])) as Cluster['engines']
  }

  async function addServer(role: Role, settings: Settings): Promise<Server> {
    const number = servers.filter((server) => server.role === role).length + 1
    const serverName = `${role}-${number}`
    const [port] = await freePorts(1)
    const logFile = join(folder, `${serverName}.log`)
    const server = createServer({ name: serverName, role, port, settings, logFile, from })
    servers.push(server)
    return server
  }

  /** Finds the engines through their state files, because one that is still starting is not in `engines` yet. */
  async function killEngines(): Promise<void> {
    const engines = ENGINE_NAMES.map((engine) => engineFolder.find(DEFINITIONS[engine]))
    await Promise.all(engines.flatMap((engine) => (engine?.nodes ?? []).map((_, i) => engine?.kill(i))))
  }

  async function open({ nodes = {}, isAlone = false, splitsRedis = false, crowd }: Needs): Promise<Cluster> {
    if (splitsRedis) {
      network = createSplitNetwork()
      network.up()
    }
    const engines = await openEngines(nodes)
    const settings: Settings = {
      ...Object.assign({}, ...ENGINE_NAMES.map((engine) => engines[engine].settings)),
      RIVULET_SERVER_KEY: SERVER_KEY,
      RIVULET_RATE_LIMIT: 'off',
      RIVULET_LOG_LEVEL: 'warn',
    }
    command(['migrate'], settings)
    if (crowd !== undefined) importCrowd({ folder: join(folder, 'crowd'), settings, followers: crowd, say })
    for (const role of isAlone ? ALONE : SEVERAL) await addServer(role, settings)
    await Promise.all(servers.map((server) => server.start()))
    for (const { name: serverName, url, pid } of servers) say(`${serverName} (process ${pid}) is at ${url}`)
    return {
      engines,
      servers,
      apis: servers.filter(({ role }) => role !== 'worker'),
      workers: servers.filter(({ role }) => role !== 'api'),
      serverKey: SERVER_KEY,
      network,
      addServer: (role) => addServer(role, settings),
    }
  }

  return {
    folder,
    open,
    async close() {
      await Promise.all(servers.map((server) => server.kill()))
      await killEngines()
      // An engine that was only being set up may have started since.
      await opening
      await killEngines()
      network?.down()
      if (keep) return
      rmSync(SCRATCH, { recursive: true, force: true })
    },
  }
}
