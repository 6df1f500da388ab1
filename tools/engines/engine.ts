/**
 * Engines that run on this machine: nodes on free ports, with their data in a scratch folder. A state file there lists the
 * nodes that were started, so that a later command finds them.
 */

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isAlive, kill, signal, start, stop, type EngineNode } from './processes.ts'

export type Report = (line: string) => void
export const ENGINE_NAMES = ['kafka', 'cassandra', 'redis'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

/** How one kind of engine is set up and made ready; the rest is the same for all. */
export interface EngineDefinition {
  readonly name: EngineName
  /** Installs the programs that are missing, and sets up the nodes: folders, configuration, commands. */
  prepare(folder: string, nodes: 1 | 3, report: Report): Promise<EngineNode[]>
  /** Resolves when the node answers clients. Called for all nodes at once. */
  ready(node: EngineNode): Promise<void>
  /** Forms a cluster once all nodes are ready. Does nothing when they are a cluster already. */
  join?(nodes: readonly EngineNode[]): Promise<void>
  /** The environment variables with which Rivulet uses the engine. */
  settings(nodes: readonly EngineNode[]): Readonly<Record<string, string>>
}

export interface Engine {
  readonly name: EngineName
  readonly nodes: readonly EngineNode[]
  readonly settings: Readonly<Record<string, string>>
  signal(index: number, name: 'SIGSTOP' | 'SIGCONT'): boolean
  kill(index: number): Promise<void>
  /** Starts a killed node again, on the data that it has kept. */
  restart(index: number): Promise<void>
  stop(): Promise<void>
}

export interface EngineFolder {
  /** The folder of the state files and of the engines' data. */
  readonly path: string
  up(definition: EngineDefinition, nodes: 1 | 3, report: Report): Promise<Engine>
  /** The engine that an earlier command has started, if any. */
  find(definition: EngineDefinition): Engine | undefined
  /** Deletes the data of an engine that is down. */
  wipe(name: EngineName): void
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * The scratch folder of one checkout and purpose. Each checkout has its own, so that none finds, stops or wipes the
 * engines of another.
 */
export function folderOfCheckout(purpose: string, checkout = ROOT): string {
  const name = createHash('sha256').update(checkout).digest('hex').slice(0, 12)
  return join(tmpdir(), `rivulet-${purpose}-${process.getuid?.() ?? 'user'}-${name}`)
}

export function openEngineFolder(
  folder = process.env.ENGINES_FOLDER ?? folderOfCheckout('engines'),
): EngineFolder {
  const folderOf = (name: EngineName) => join(folder, name)
  const stateFile = (name: EngineName) => join(folderOf(name), 'state.json')
  const save = (name: EngineName, nodes: readonly EngineNode[]) =>
    writeFileSync(stateFile(name), `${JSON.stringify(nodes, undefined, 2)}\n`)

  function engineOf(definition: EngineDefinition, started: readonly EngineNode[]): Engine {
    const nodes = [...started]
    return {
      name: definition.name,
      nodes,
      settings: definition.settings(nodes),
      signal: (index, name) => signal(nodes[index], name),
      kill: (index) => kill(nodes[index]),
      async restart(index) {
        if (isAlive(nodes[index])) return
        nodes[index] = start(nodes[index])
        save(definition.name, nodes)
        await definition.ready(nodes[index])
      },
      async stop() {
        await Promise.all(nodes.map(stop))
      },
    }
  }

  function find(definition: EngineDefinition): Engine | undefined {
    if (!existsSync(stateFile(definition.name))) return undefined
    const nodes = JSON.parse(readFileSync(stateFile(definition.name), 'utf8')) as EngineNode[]
    return engineOf(definition, nodes)
  }

  return {
    path: folder,
    find,
    async up(definition, count, report) {
      const { name } = definition
      const known = find(definition)
      if (known !== undefined && known.nodes.length !== count) {
        throw new Error(`${name} is set up with ${known.nodes.length} nodes; wipe it first to have ${count}`)
      }
      const startMs = performance.now()
      if (known === undefined) mkdirSync(folderOf(name), { recursive: true })
      const laidOut = known?.nodes ?? (await definition.prepare(folderOf(name), count, report))
      const running = new Set(laidOut.filter(isAlive))
      const nodes = laidOut.map((node) => (running.has(node) ? node : start(node)))
      save(name, nodes)
      const describe = (some: readonly EngineNode[]) =>
        some.map((node) => `${node.name} (process ${node.process?.pid})`).join(', ')
      if (running.size > 0) report(`${name}: already running: ${describe([...running])}`)
      const started = nodes.filter((node) => !running.has(node))
      if (started.length > 0) report(`${name}: starting ${describe(started)}`)
      await Promise.all(nodes.map(definition.ready))
      await definition.join?.(nodes)
      report(`${name}: ready after ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
      return engineOf(definition, nodes)
    },
    wipe(name) {
      rmSync(folderOf(name), { recursive: true, force: true })
    },
  }
}
