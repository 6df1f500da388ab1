/** The engines and the server of one drill, in a folder of their own that goes with them. */

import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cassandra } from '../engines/cassandra.ts'
import { ENGINE_NAMES, openEngineFolder, type Engine, type EngineName } from '../engines/engine.ts'
import { kafka } from '../engines/kafka.ts'
import { freePorts } from '../engines/processes.ts'
import { redis } from '../engines/redis.ts'
import { createServer, migrate, type Server } from './server.ts'

export type NodeCounts = Partial<Record<EngineName, 1 | 3>>

export interface Cluster {
  readonly engines: Readonly<Record<EngineName, Engine>>
  readonly server: Server
  readonly serverKey: string
}

export interface ClusterHolder {
  readonly folder: string
  open(nodes: NodeCounts): Promise<Cluster>
  /** Ends what was started, also in the middle of `open`. The data goes, too, unless it is to be kept. */
  close(): Promise<void>
}

const DEFINITIONS = { kafka, cassandra, redis }
const SERVER_KEY = 'server-key-of-the-drills'

/** Of all drills of this command; each has one of its own in it. */
const SCRATCH = join(tmpdir(), `rivulet-drills-${process.pid}`)

export function createClusterHolder(name: string, keep: boolean, say: (line: string) => void): ClusterHolder {
  const folder = join(SCRATCH, name)
  const engineFolder = openEngineFolder(folder)
  let server: Server | undefined

  async function open(nodes: NodeCounts): Promise<Cluster> {
    mkdirSync(folder, { recursive: true })
    const up = ENGINE_NAMES.map((name) => engineFolder.up(DEFINITIONS[name], nodes[name] ?? 1, say))
    const started = await Promise.all(up)
    const engines = Object.fromEntries(started.map((engine) => [engine.name, engine])) as Cluster['engines']
    const settings = {
      ...Object.assign({}, ...started.map((engine) => engine.settings)),
      RIVULET_SERVER_KEY: SERVER_KEY,
      RIVULET_RATE_LIMIT: 'off',
      RIVULET_LOG_LEVEL: 'warn',
    }
    migrate(settings)
    const [port] = await freePorts(1)
    server = createServer(port, settings, join(folder, 'server.log'))
    await server.start()
    say(`the server is ready at ${server.url}`)
    return { engines, server, serverKey: SERVER_KEY }
  }

  return {
    folder,
    open,
    async close() {
      await server?.kill()
      // By name: an engine that is only just starting is in its state file already.
      const engines = ENGINE_NAMES.map((name) => engineFolder.find(DEFINITIONS[name]))
      await Promise.all(engines.flatMap((engine) => (engine?.nodes ?? []).map((_, i) => engine?.kill(i))))
      if (keep) return
      rmSync(SCRATCH, { recursive: true, force: true })
    },
  }
}
