/**
 * A connection to Redis or Valkey, one server or a cluster: what the adapters on it share. A cluster is
 * recognised by asking. Replies are bytes; errors are ours.
 */

import { createHash } from 'node:crypto'
import { createClient, createCluster, ErrorReply, RESP_TYPES } from 'redis'
import { RivuletError } from '../../core/errors.ts'
import { createDeadlines } from '../env/deadlines.ts'
import type { Env } from '../env/env.ts'

export interface RedisOptions {
  readonly env: Env
  /** `host:port` of one or more nodes; the others of a cluster are found. */
  readonly nodes: readonly string[]
  readonly username?: string
  readonly password?: string
  /** What an operator should know, such as a lost connection. */
  readonly onNotice: (text: string) => void
}

export type Reply = Buffer | number | null | readonly Reply[]

export interface Redis {
  readonly isCluster: boolean
  /**
   * All keys of a command lie in the slot of `key`. Rejects with `unavailable` when there is no answer: the command
   * may have been carried out.
   */
  send(key: string, args: readonly (string | Buffer)[]): Promise<Reply>
  /** Runs a script; `key` is its KEYS[1], and others that it touches share its slot. */
  run(script: RedisScript, key: string, args: readonly (string | Buffer)[]): Promise<Reply>
  publish(channel: string, message: Buffer): Promise<void>
  /** @returns ends the subscription */
  subscribe(channel: string, listener: (message: Buffer) => void): Promise<() => Promise<void>>
  close(): Promise<void>
}

export interface RedisScript {
  readonly source: string
  readonly sha: string
}

export const defineScript = (source: string): RedisScript => ({
  source,
  sha: createHash('sha1').update(source).digest('hex'),
})

const COMMAND_TIMEOUT_MS = 2_000
const CONNECT_TIMEOUT_MS = 5_000
const PING_MS = 1_000
const SILENCE_MS_MAX = 4_000
const QUEUED_COMMANDS_MAX = 100_000
const RECONNECT_MS_MAX = 1_000
const RECONNECT_MS_MIN = 50
/** A primary that is gone is looked for after half a second, not after five. */
const TOPOLOGY_REFRESH_MS = 500
const RETRY_AFTER_MS = 1_000

const BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer } as const

export async function connectRedis(options: RedisOptions): Promise<Redis> {
  const client = newClient(options, options.nodes[0])
  await client.connect().catch((error: unknown) => {
    client.destroy()
    throw connectionError(options, error)
  })
  try {
    const isCluster = /cluster_enabled:1/.test(String(await client.sendCommand(['INFO', 'cluster'])))
    if (!isCluster) return await overServer(options, client)
  } catch (error) {
    client.destroy()
    throw connectionError(options, error)
  }
  client.destroy()
  return overCluster(options)
}

const reconnectMs = (attempts: number): number =>
  Math.min(RECONNECT_MS_MIN * 2 ** Math.min(attempts, 10), RECONNECT_MS_MAX)

/** A server that is frozen keeps its connections: one on which nothing comes is given up. */
const SOCKET = {
  connectTimeout: CONNECT_TIMEOUT_MS,
  socketTimeout: SILENCE_MS_MAX,
  reconnectStrategy: reconnectMs,
}

/** The client's own deadline costs a signal and a timer a command: ours is in `redisOf`. */
const NO_TIMEOUT = { timeout: undefined } as unknown as { timeout: number }

const connectionSettings = ({ username, password }: RedisOptions) => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  pingInterval: PING_MS,
  commandsQueueMaxLength: QUEUED_COMMANDS_MAX,
  // A command that waits for a connection is one that is answered too late: callers have better things to do.
  disableOfflineQueue: true,
  commandOptions: { typeMapping: BYTES, ...NO_TIMEOUT },
})

const socketOf = (address: string) => {
  const at = address.lastIndexOf(':')
  const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))]
  return { host, port, ...SOCKET }
}

function newClient(options: RedisOptions, address: string) {
  let isConnected = false
  const client = createClient({
    ...connectionSettings(options),
    socket: {
      ...socketOf(address),
      // At the start, one failure is told at once.
      reconnectStrategy: (attempts, cause) => (isConnected ? reconnectMs(attempts) : cause),
    },
  })
  client.on('ready', () => (isConnected = true))
  client.on('error', noticeOf(options))
  return client
}

/** Each kind of trouble once, until it changes: a lost server would be told many times a second. */
function noticeOf({ onNotice }: RedisOptions): (error: unknown) => void {
  let last = ''
  return (error) => {
    const text = error instanceof Error ? error.message : String(error)
    if (text !== last) onNotice(`Redis: ${text}`)
    last = text
  }
}

type Client = ReturnType<typeof newClient>

async function overServer(options: RedisOptions, client: Client): Promise<Redis> {
  const subscriber = client.duplicate()
  subscriber.on('error', noticeOf(options))
  await subscriber.connect()
  return redisOf(options.env, {
    isCluster: false,
    send: (_key, args) => client.sendCommand(args) as Promise<Reply>,
    publish: (channel, message) => client.sPublish(channel, message),
    listen: (channel, listener) => subscriber.sSubscribe(channel, listener, true),
    unlisten: (channel, listener) => subscriber.sUnsubscribe(channel, listener, true),
    destroy() {
      client.destroy()
      subscriber.destroy()
    },
  })
}

async function overCluster(options: RedisOptions): Promise<Redis> {
  const settings = connectionSettings(options)
  const cluster = createCluster({
    rootNodes: options.nodes.map((address) => ({ ...settings, socket: socketOf(address) })),
    defaults: {
      ...settings,
      socket: SOCKET,
    },
    topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
  })
  const notice = noticeOf(options)
  cluster.on('error', notice)
  cluster.on('node-error', notice)
  await cluster.connect().catch((error: unknown) => {
    throw connectionError(options, error)
  })
  const { commandOptions } = settings
  return redisOf(options.env, {
    isCluster: true,
    send: (key, args) => cluster.sendCommand(key, false, [...args], commandOptions) as Promise<Reply>,
    publish: (channel, message) => cluster.sPublish(channel, message),
    listen: (channel, listener) => cluster.sSubscribe(channel, listener, true),
    unlisten: (channel, listener) => cluster.sUnsubscribe(channel, listener, true),
    destroy: () => cluster.destroy(),
  })
}

type Listener = (message: Buffer) => void

interface Driver {
  readonly isCluster: boolean
  send(key: string, args: readonly (string | Buffer)[]): Promise<Reply>
  publish(channel: string, message: Buffer): Promise<unknown>
  listen(channel: string, listener: Listener): Promise<void>
  unlisten(channel: string, listener: Listener): Promise<void>
  destroy(): void
}

function redisOf(env: Env, driver: Driver): Redis {
  const deadlines = createDeadlines(env, COMMAND_TIMEOUT_MS)
  let isClosed = false
  const calling = async <T>(call: () => Promise<T>): Promise<T> => {
    if (isClosed) throw new RivuletError('shutting_down', 'the connection to Redis is closed')
    return new Promise<T>((resolve, reject) => {
      const watched = deadlines.watch(reject)
      call()
        .then(resolve, (error: unknown) => reject(commandError(error)))
        .finally(() => watched.end())
    })
  }
  return {
    isCluster: driver.isCluster,
    send: (key, args) => calling(() => driver.send(key, args)),
    run: (script, key, args) =>
      calling(async () => {
        const tail = ['1', key, ...args]
        try {
          return await driver.send(key, ['EVALSHA', script.sha, ...tail])
        } catch (error) {
          // A server that is new, or came back empty, learns it now.
          if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error
          return driver.send(key, ['EVAL', script.source, ...tail])
        }
      }),
    publish: (channel, message) => calling(async () => void (await driver.publish(channel, message))),
    subscribe: (channel, listener) =>
      calling(async () => {
        await driver.listen(channel, listener)
        return async () => {
          if (!isClosed) await driver.unlisten(channel, listener)
        }
      }),
    async close() {
      if (isClosed) return
      isClosed = true
      driver.destroy()
    },
  }
}

/** Full memory is refused, a broken key is ours to repair, everything else is no answer. */
function commandError(error: unknown): RivuletError {
  const detail = error instanceof Error ? error.message : String(error)
  const options = { retryAfterMs: RETRY_AFTER_MS, cause: error }
  if (/^OOM /.test(detail)) {
    const message =
      'Redis has reached its maxmemory; give it more, or an eviction policy such as allkeys-lru: timelines are rebuilt'
    return new RivuletError('overloaded', message, options)
  }
  return new RivuletError('unavailable', `Redis gave no answer: ${detail}`, options)
}

function connectionError({ nodes }: RedisOptions, error: unknown): RivuletError {
  const detail = error instanceof Error ? error.message : String(error)
  const where = `Redis at ${nodes.join(', ')} (the setting RIVULET_REDIS)`
  if (/WRONGPASS|NOAUTH|NOPERM/.test(detail)) {
    const message = `${where} refuses the user or password (${detail}); set RIVULET_REDIS_USERNAME and RIVULET_REDIS_PASSWORD`
    return new RivuletError('config_invalid', message, { cause: error })
  }
  const message = `${where} cannot be reached: ${detail || 'no answer'}; check that it runs and that the address is right`
  return new RivuletError('unavailable', message, { retryAfterMs: RETRY_AFTER_MS, cause: error })
}
