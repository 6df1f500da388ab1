/** Runs the command as a process of its own, in an environment without settings. */

import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  spawn,
  type StdioOptions,
} from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { bundled } from '../support/bundle.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = await bundled(join(ROOT, 'src', 'cli', 'main.ts'))
const env = createRealEnv()

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  /** Resolves with all of stdout once it holds `text`; rejects when the process ends before. */
  says(text: string): Promise<string>
}

/** An environment with these settings only, whatever the environment of the tests has. */
export function launch<C extends ChildProcess>(
  args: readonly string[],
  settings: Record<string, string>,
  stdio: StdioOptions,
): C {
  const clean = Object.entries(process.env).filter(([name]) => !/^(RIVULET_|VITEST|NODE_OPTIONS)/.test(name))
  return spawn(process.execPath, ['--enable-source-maps', MAIN, ...args], {
    cwd: ROOT,
    env: { ...Object.fromEntries(clean), ...settings },
    stdio,
  }) as ChildProcess as C
}

export function start(args: readonly string[], settings: Record<string, string> = {}): Started {
  const child = launch<ChildProcessWithoutNullStreams>(args, settings, 'pipe')
  let [stdout, stderr] = ['', '']
  const listeners = new Set<() => void>()
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    for (const listener of listeners) listener()
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })),
  )
  const says = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => stdout.includes(text) && resolve(stdout)
      listeners.add(look)
      look()
      void ended.then(() => reject(new Error(`ended without saying ${text}: ${stdout}${stderr}`)))
    })
  return { child, ended, says }
}

export const run = (args: readonly string[], settings?: Record<string, string>): Promise<Ended> =>
  start(args, settings).ended

export interface Server extends Started {
  readonly url: string
  readonly serverKey: string
  /** Ends the process cleanly. */
  stop(): Promise<Ended>
  kill(): Promise<Ended>
}

export const SERVER_KEY = 'a-server-key-for-tests'

export async function serve(data: string, args: readonly string[] = []): Promise<Server> {
  const settings = { RIVULET_SERVER_KEY: SERVER_KEY, RIVULET_RATE_LIMIT: 'off', RIVULET_LOG_LEVEL: 'warn' }
  const started = start(['serve', '--data', data, '--port', '0', ...args], settings)
  const said = await started.says('  data  ')
  const url = /is ready: (http:\S+)/.exec(said)?.[1] ?? ''
  const end = (signal: NodeJS.Signals) => async () => {
    started.child.kill(signal)
    return started.ended
  }
  return { ...started, url, serverKey: SERVER_KEY, stop: end('SIGTERM'), kill: end('SIGKILL') }
}

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

export { env }
