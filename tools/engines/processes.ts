/**
 * Processes that outlive the command that started them. Each is identified by its process id *and* the moment when it
 * started: the system reuses ids, and a process that was not started here must never get a signal.
 */

import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** One server of an engine, as it is written to the state file. */
export interface EngineNode {
  readonly name: string
  readonly host: string
  /** The port for clients. */
  readonly port: number
  readonly folder: string
  readonly logFile: string
  readonly command: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Absent until the node is started. */
  readonly process?: ProcessId
}

export interface ProcessId {
  readonly pid: number
  /** The start time as the system writes it. It is only compared. */
  readonly startedAt: string
}

export type Signal = 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'

const TERM_WAIT_MS = 15_000
const POLL_MS = 50

export function start(node: EngineNode): EngineNode {
  const log = openSync(node.logFile, 'a')
  const [command, ...args] = node.command
  const child = spawn(command, args, {
    cwd: node.folder,
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...node.environment },
  })
  closeSync(log)
  child.on('error', () => undefined) // then it has no process id, which is checked below
  child.unref()
  if (child.pid === undefined) throw new Error(`${command} cannot be started; is it installed?`)
  return { ...node, process: { pid: child.pid, startedAt: startOf(child.pid) ?? '' } }
}

export const isAlive = ({ process: id }: EngineNode): boolean =>
  id !== undefined && startOf(id.pid) === id.startedAt

/** @returns false if the node is not running */
export function signal(node: EngineNode, name: Signal): boolean {
  if (node.process === undefined || !isAlive(node)) return false
  process.kill(node.process.pid, name)
  return true
}

/** Asks the process to end with SIGTERM, and kills it if it does not end in time. */
export async function stop(node: EngineNode): Promise<void> {
  signal(node, 'SIGCONT')
  if (!signal(node, 'SIGTERM')) return
  if (await ends(node, TERM_WAIT_MS)) return
  signal(node, 'SIGKILL')
  await ends(node, TERM_WAIT_MS)
}

/** Ends the process at once, as a power cut would. */
export async function kill(node: EngineNode): Promise<void> {
  signal(node, 'SIGKILL')
  await ends(node, TERM_WAIT_MS)
}

async function ends(node: EngineNode, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += POLL_MS) {
    if (!isAlive(node)) return true
    await sleep(POLL_MS)
  }
  return false
}

/** Waits until `isReady`. Rejects when that takes too long, and at once when the process has ended. */
export async function awaitReady(
  node: EngineNode,
  withinMs: number,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const untilMs = performance.now() + withinMs
  while (performance.now() < untilMs) {
    if (await isReady()) return
    if (!isAlive(node)) throw new Error(`${node.name} ended; the end of ${node.logFile}:\n${tailOf(node)}`)
    await sleep(4 * POLL_MS)
  }
  throw new Error(`${node.name} was not ready after ${withinMs / 1_000} s; see ${node.logFile}`)
}

const TAIL_LINES = 15
const tailOf = ({ logFile }: EngineNode): string =>
  readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n')

const START_TIME_FIELD = 22
const STATE_FIELD = 3

/** When a process started; `undefined` for one that has ended, even if it still waits to be reaped. */
function startOf(pid: number): string | undefined {
  const path = `/proc/${pid}/stat`
  if (!existsSync('/proc/self/stat'))
    throw new Error('the engines need Linux, because they are found through /proc')
  try {
    // The second field, the name, is in brackets and may contain spaces and brackets itself.
    const text = readFileSync(path, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[STATE_FIELD - 3] === 'Z' ? undefined : fields[START_TIME_FIELD - 3]
  } catch {
    return undefined
  }
}

/** Finds different ports that are free at the moment, each on all given hosts. */
export async function freePorts(count: number, hosts: readonly string[] = ['127.0.0.1']): Promise<number[]> {
  const held: { port: number; close: () => Promise<void> }[] = []
  while (held.length < count) {
    const first = await hold(hosts[0], 0)
    const others = await Promise.allSettled(hosts.slice(1).map((host) => hold(host, first.port)))
    const close = async () => {
      await first.close()
      for (const one of others) if (one.status === 'fulfilled') await one.value.close()
    }
    held.push({ port: others.every(({ status }) => status === 'fulfilled') ? first.port : 0, close })
    if (held[held.length - 1].port === 0) await held.pop()?.close()
  }
  for (const { close } of held) await close()
  return held.map(({ port }) => port)
}

function hold(host: string, port: number): Promise<{ port: number; close: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      const close = () => new Promise<void>((done) => server.close(() => done()))
      resolve({ port: typeof address === 'object' && address !== null ? address.port : 0, close })
    })
  })
}
