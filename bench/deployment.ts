/**
 * A deployment on engines as a user runs it: Kafka, Cassandra and Redis from tools/engines in a scratch folder, and
 * processes of the built command. When the bench ends, all of them are ended and the folder is removed.
 */

import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cassandra } from '../tools/engines/cassandra.ts'
import { ENGINE_NAMES, openEngineFolder, type Engine, type EngineName } from '../tools/engines/engine.ts'
import { kafka } from '../tools/engines/kafka.ts'
import { redis } from '../tools/engines/redis.ts'
import { scratchFolder, startProcess, type BenchServer } from './http-server.ts'

export type Role = 'api' | 'worker'

export interface Deployment {
  readonly engines: Readonly<Record<EngineName, Engine>>
  readonly settings: Readonly<Record<string, string>>
  start(role: Role): Promise<BenchServer>
  stop(): Promise<void>
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DEFINITIONS = { kafka, cassandra, redis }

/** The engines run and are migrated; no server has started yet. */
export async function startDeployment(say: (line: string) => void): Promise<Deployment> {
  const folder = scratchFolder()
  const engineFolder = openEngineFolder(folder)
  const servers: BenchServer[] = []

  async function stop(): Promise<void> {
    await Promise.all(servers.splice(0).map((server) => server.stop()))
    // Found through their state files, because that also finds an engine that did not become ready.
    await Promise.all(ENGINE_NAMES.map((name) => engineFolder.find(DEFINITIONS[name])?.stop()))
    rmSync(folder, { recursive: true, force: true })
  }

  try {
    const starting = ENGINE_NAMES.map((name) => engineFolder.up(DEFINITIONS[name], 1, say))
    // Waits for all of them, even if one fails: an engine that comes up late would be left running.
    const failed = (await Promise.allSettled(starting)).find(({ status }) => status === 'rejected')
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
    const engines = await Promise.all(starting)
    const settings = Object.assign({}, ...engines.map((engine) => engine.settings))
    await rivulet(['migrate'], settings)
    return {
      engines: Object.fromEntries(engines.map((engine) => [engine.name, engine])) as Deployment['engines'],
      settings,
      async start(role) {
        const server = await startProcess(['--role', role], settings)
        servers.push(server)
        return server
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Runs a command of `rivulet` to its end. */
export function rivulet(
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<void> {
  const env = { ...process.env, ...settings }
  const child = spawn('bin/rivulet.js', args, { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`rivulet ${args[0]} ended with ${code}:\n${errors}`)),
    )
  })
}
