/**
 * Starts a Redis on a free port, without persistence, and feeds it in the fastest way we know from Node: commands are
 * written as raw RESP into large buffers, several buffers are in flight, and replies are only counted. The usual client
 * makes an object per command, and becomes the limit long before the server does.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'

export const redisVersion = (): string | undefined =>
  /v=(\S+)/.exec(spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1]

const newClient = (path: string) =>
  createClient({ socket: { path, tls: false, reconnectStrategy: () => 50 } })
type RedisClient = ReturnType<typeof newClient>

export interface RedisServer {
  readonly socketPath: string
  readonly client: RedisClient
  usedBytes(): Promise<number>
  stop(): Promise<void>
}

/** Connects over a Unix socket, so that the network is not part of the measurement. */
export async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-bench-'))
  const socketPath = join(folder, 'redis.sock')
  const options = [
    '--port',
    '0',
    '--unixsocket',
    socketPath,
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ]
  const child = spawn('redis-server', options, { stdio: 'ignore' })
  // Also ends the server when the bench is interrupted.
  process.once('exit', () => child.kill())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const client = newClient(socketPath)
  client.on('error', () => undefined) // until the server listens
  await client.connect()
  return {
    socketPath,
    client,
    async usedBytes() {
      return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
    },
    async stop() {
      await client.close()
      await stopChild(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
}

const BUFFER_BYTES = 256 * 1024
const COMMAND_BYTES_MAX = 256
const IN_FLIGHT_COMMANDS_MAX = 32_768
const NEWLINE = 10
const MINUS = 45

/** Writes commands whose replies have one line each. */
export class RawPipeline {
  private readonly socket: Socket
  private buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  private used = 0
  private inFlight = 0
  private failed: Error | undefined
  private atLineStart = true
  private wake: (() => void) | undefined

  static async open(socketPath: string): Promise<RawPipeline> {
    const socket = connect(socketPath)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new RawPipeline(socket)
  }

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.countReplies(chunk))
    socket.on('error', (error) => this.fail(error))
  }

  /** Latin text only. @returns true when the caller should await `drain` before more */
  command(text: string): boolean {
    this.used += this.buffer.write(text, this.used, 'latin1')
    this.inFlight++
    if (this.used > BUFFER_BYTES - COMMAND_BYTES_MAX) this.flush()
    return this.inFlight >= IN_FLIGHT_COMMANDS_MAX
  }

  /** Waits until at most `left` replies are due. */
  async drain(left = IN_FLIGHT_COMMANDS_MAX / 2): Promise<void> {
    this.flush()
    while (this.inFlight > left && this.failed === undefined) {
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
    if (this.failed !== undefined) throw this.failed
  }

  close(): void {
    this.socket.destroy()
  }

  private flush(): void {
    if (this.used === 0) return
    this.socket.write(this.buffer.subarray(0, this.used))
    this.buffer = Buffer.allocUnsafe(BUFFER_BYTES)
    this.used = 0
  }

  private countReplies(chunk: Buffer): void {
    for (const byte of chunk) {
      if (this.atLineStart && byte === MINUS)
        this.fail(new Error(`redis: ${chunk.toString('latin1', 0, 200)}`))
      this.atLineStart = byte === NEWLINE
      if (byte === NEWLINE) this.inFlight--
    }
    this.wake?.()
  }

  private fail(error: Error): void {
    this.failed = error
    this.wake?.()
  }
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

/** The part of a ZADD after its key: the same for all followers of a post. The member is the bare id. */
export const zaddTail = (id: number): string => bulk(`${id}`).repeat(2)
export const zaddTo = (key: string, tail: string): string => `*4\r\n$4\r\nZADD\r\n${bulk(key)}${tail}`
export const trimTo = (key: string, cap: number): string =>
  `*4\r\n$15\r\nZREMRANGEBYRANK\r\n${bulk(key)}${bulk('0')}${bulk(`${-cap - 1}`)}`
