/** A server under test: the built command in a process of its own, which keeps its address over restarts. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'

export type Settings = Readonly<Record<string, string>>

export type Role = 'all' | 'api' | 'worker'

export interface Server {
  /** The role and a number. */
  readonly name: string
  readonly role: Role
  readonly url: string
  readonly logFile: string
  /** `undefined` while the server is down. */
  readonly pid: number | undefined
  /**
   * The times when the server ended without being asked to, and was started again as by a supervisor; and when it did not
   * end in time although it was asked to.
   */
  readonly collapses: readonly string[]
  /** Resolves when the server is ready. `environment` applies to this start only. */
  start(environment?: Settings): Promise<void>
  /** Ends the server at once with SIGKILL, as a power cut would. */
  kill(): Promise<void>
  /** Ends the server with SIGTERM. */
  stop(): Promise<void>
  /** Whether the server runs and is not frozen. */
  readonly isServing: boolean
  freeze(): void
  thaw(): void
  /** The value of a metric; `undefined` while the server does not answer. */
  metric(name: string): Promise<number | undefined>
}

export interface ServerOptions {
  readonly name: string
  readonly role: Role
  readonly port: number
  readonly settings: Settings
  readonly logFile: string
  /** A built checkout from which the first start is made; later ones are made from this checkout. */
  readonly from: string | undefined
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const READY_WITHIN_MS = 60_000
/** A server ends at the latest 25 s after it was asked to. */
const STOP_WITHIN_MS = 28_000
const POLL_MS = 50
const COLLAPSES_MAX = 5
const RESTART_PAUSE_MS = 1_000

/** Leaves out settings of Rivulet and of Node that whoever runs the drill may have in their environment. */
const environmentOf = (settings: Settings): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(RIVULET_|NODE_OPTIONS)/.test(name)),
  ),
  ...settings,
})

export function createServer({ name, role, port, settings, logFile, from }: ServerOptions): Server {
  const url = `http://127.0.0.1:${port}`
  const collapses: string[] = []
  let root = from ?? ROOT
  let child: ChildProcess | undefined
  let isWanted = false
  let isFrozen = false

  async function start(environment: Settings = {}): Promise<void> {
    isWanted = true
    const log = openSync(logFile, 'a')
    const started = spawn('bin/rivulet.js', ['serve', '--role', role, '--port', String(port)], {
      cwd: root,
      env: environmentOf({ ...settings, ...environment }),
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    root = ROOT
    child = started
    started.once('exit', (code, signal) => {
      if (child === started) child = undefined
      if (isWanted) void collapsed(`ended with ${signal ?? `code ${code}`}`, environment)
    })
    for (let waitedMs = 0; waitedMs < READY_WITHIN_MS; waitedMs += POLL_MS) {
      if (await isReady(url)) return
      if (child !== started) throw new Error(`${name} ended while it started:\n${tailOf(logFile)}`)
      await sleep(POLL_MS)
    }
    throw new Error(`${name} was not ready after ${READY_WITHIN_MS / 1_000} s:\n${tailOf(logFile)}`)
  }

  async function collapsed(how: string, environment: Settings): Promise<void> {
    collapses.push(`${how}: ${tailOf(logFile, 2)}`)
    if (collapses.length >= COLLAPSES_MAX) return
    await sleep(RESTART_PAUSE_MS)
    if (isWanted && child === undefined) await start(environment).catch(() => undefined)
  }

  async function end(signal: NodeJS.Signals, withinMs: number): Promise<void> {
    isWanted = false
    isFrozen = false
    const ending = child
    if (ending === undefined) return
    const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()))
    ending.kill(signal)
    const timer = setTimeout(() => {
      collapses.push(`did not end within ${withinMs / 1_000} s of ${signal}`)
      ending.kill('SIGKILL')
    }, withinMs)
    await ended
    clearTimeout(timer)
  }

  return {
    name,
    role,
    url,
    logFile,
    collapses,
    get isServing() {
      return child !== undefined && !isFrozen
    },
    freeze() {
      isFrozen = child?.kill('SIGSTOP') === true
    },
    thaw() {
      child?.kill('SIGCONT')
      isFrozen = false
    },
    metric: (metricName) => metricOf(url, metricName),
    get pid() {
      return child?.pid
    },
    start,
    kill: () => end('SIGKILL', STOP_WITHIN_MS),
    stop: () => end('SIGTERM', STOP_WITHIN_MS),
  }
}

/** Runs a command of `rivulet`, such as `migrate`. @throws if it fails */
export function command(args: readonly string[], settings: Settings): void {
  const { status, stdout, stderr } = spawnSync('bin/rivulet.js', args, {
    cwd: ROOT,
    env: environmentOf(settings),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`rivulet ${args[0]} failed:\n${stdout}${stderr}`)
}

const METRIC_TIMEOUT_MS = 2_000

async function metricOf(url: string, name: string): Promise<number | undefined> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(METRIC_TIMEOUT_MS) })
    const line = (await response.text()).split('\n').find((each) => each.startsWith(`${name} `))
    return line === undefined ? undefined : Number(line.slice(name.length))
  } catch {
    return undefined
  }
}

const isReady = (url: string): Promise<boolean> =>
  fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
    (response) => response.ok,
    () => false,
  )

const TAIL_LINES = 10
const tailOf = (logFile: string, lines = TAIL_LINES): string =>
  readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
