/** Starts real servers in processes of their own, on a scratch folder or on engines, with a client to set them up. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const UNLIMITED = { RIVULET_READS_PER_MINUTE: '1000000000', RIVULET_WRITES_PER_MINUTE: '1000000000' }
export const SERVER_KEY = 'bench-server-key-of-enough-characters'

export interface BenchServer {
  readonly port: number
  readonly pid: number
  /** Makes a request with the server key, on behalf of an account if one is named. */
  call<T>(method: string, path: string, body?: unknown, account?: string): Promise<T>
  /** The value of a metric. */
  metric(name: string): Promise<number>
  stop(): Promise<void>
}

/** All features are on. Rate limits are raised and not turned off, so that they are still checked. No log is kept. */
export async function startServer(folder = scratchFolder()): Promise<BenchServer> {
  const server = await startProcess(['--data', join(folder, 'data')])
  return {
    ...server,
    async stop() {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Starts a process of a deployment on engines, with the given flags and settings. */
export async function startProcess(
  flags: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchServer> {
  const env = { ...process.env, ...settings, ...UNLIMITED }
  Object.assign(env, { RIVULET_SERVER_KEY: SERVER_KEY, RIVULET_LOG_LEVEL: 'info' })
  const args = ['serve', ...flags, '--port', '0']
  const child = spawn('bin/rivulet.js', args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'ignore'] })
  const port = await readyPort(child)
  const url = `http://127.0.0.1:${port}`
  return {
    port,
    pid: child.pid!,
    async call(method, path, body, account) {
      const headers: Record<string, string> = { authorization: `Bearer ${SERVER_KEY}` }
      if (body !== undefined) headers['content-type'] = 'application/json'
      if (account !== undefined) headers['rivulet-account'] = account
      const answer = await fetch(`${url}/api/v1${path}`, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
      })
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
      return (await answer.json()) as never
    },
    async metric(name) {
      const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
      return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length))
    },
    stop: () => end(child),
  }
}

export const scratchFolder = (): string => mkdtempSync(join(tmpdir(), 'rivulet-bench-'))

export async function end(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
}

function readyPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)))
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const port = /ready: http:\/\/[^:]+:(\d+)/.exec(text)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
}

/** `node:http` that answers every request with the same bytes: an upper bound for any server in Node. */
export async function startBareServer(body: Buffer): Promise<{ port: number; stop(): Promise<void> }> {
  const code = `
    const body = Buffer.from(process.env.BODY, 'base64')
    const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length }
    require('node:http').createServer((_, answer) => { answer.writeHead(200, headers); answer.end(body) })
      .listen(0, '127.0.0.1', function () { console.log('ready: http://127.0.0.1:' + this.address().port) })`
  const env = { ...process.env, BODY: body.toString('base64') }
  const child = spawn(process.execPath, ['-e', code], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  return { port: await readyPort(child), stop: () => end(child) }
}
