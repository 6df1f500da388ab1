/** The client library, one server or a cluster, behind the few calls that we make. */

import { createClient, createCluster, RESP_TYPES } from 'redis'

export type Listener = (message: Buffer) => void
export type Reply = Buffer | number | null | readonly Reply[]

export interface Driver {
  readonly isCluster: boolean
  send(key: string, args: readonly (string | Buffer)[]): Promise<Reply>
  publish(channel: string, message: Buffer): Promise<unknown>
  listen(channel: string, listener: Listener): Promise<void>
  unlisten(channel: string, listener: Listener): Promise<void>
  destroy(): void
}

export interface DriverOptions {
  /** `host:port` of one or more nodes; the others of a cluster are found. */
  readonly nodes: readonly string[]
  readonly username?: string
  readonly password?: string
  /** Encrypted; without authorities of its own, those that Node.js trusts. */
  readonly tls?: { readonly ca?: string }
  readonly onError: (error: unknown) => void
  /** Rejects when it takes too long: a frozen server takes a connection, and the client would wait for ever. */
  readonly within: <T>(task: Promise<T>) => Promise<T>
}

const CONNECT_TIMEOUT_MS = 2_000
/** Of the client's own commands, such as its greeting: a frozen server takes a connection and says nothing. */
const GREETING_TIMEOUT_MS = 1_500
const QUEUED_COMMANDS_MAX = 100_000
const RECONNECT_MS_MAX = 1_000
const RECONNECT_MS_MIN = 50
/** A primary that is gone is looked for after half a second, not after five. */
const TOPOLOGY_REFRESH_MS = 500

const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer } as const
/** For our commands: a deadline of the client costs a signal and a timer each, so we have our own. */
const OURS = { typeMapping, timeout: undefined } as unknown as { typeMapping: typeof typeMapping }

export async function openDriver(options: DriverOptions): Promise<Driver> {
  const { within } = options
  let failure: unknown
  for (const address of options.nodes) {
    const client = newClient(options, address)
    try {
      await within(client.connect())
      const info = await within(client.sendCommand(['INFO', 'cluster']))
      if (!/cluster_enabled:1/.test(String(info))) return await overServer(options, client)
      client.destroy()
      return await overCluster(options)
    } catch (error) {
      failure = error
      if (client.isOpen) client.destroy()
    }
  }
  throw failure
}

const reconnectMs = (attempts: number): number =>
  Math.min(RECONNECT_MS_MIN * 2 ** Math.min(attempts, 10), RECONNECT_MS_MAX)

const settingsOf = ({ username, password }: DriverOptions) => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  commandsQueueMaxLength: QUEUED_COMMANDS_MAX,
  // A command that waits for a connection is one that is answered too late: callers have better things to do.
  disableOfflineQueue: true,
  commandOptions: { timeout: GREETING_TIMEOUT_MS },
})

const tlsOf = ({ tls }: DriverOptions) => (tls === undefined ? {} : { tls: true as const, ...tls })

const SOCKET = { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: reconnectMs }

function socketOf(address: string) {
  const at = address.lastIndexOf(':')
  return {
    ...SOCKET,
    host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'),
    port: Number(address.slice(at + 1)),
  }
}

function newClient(options: DriverOptions, address: string) {
  let isConnected = false
  const client = createClient({
    ...settingsOf(options),
    socket: {
      ...socketOf(address),
      ...tlsOf(options),
      // At the start, one failure is told at once.
      reconnectStrategy: (attempts, cause) => (isConnected ? reconnectMs(attempts) : cause),
    },
  })
  client.on('ready', () => (isConnected = true))
  client.on('error', options.onError)
  return client
}

async function overServer(options: DriverOptions, client: ReturnType<typeof newClient>): Promise<Driver> {
  const subscriber = client.duplicate()
  subscriber.on('error', options.onError)
  try {
    await options.within(subscriber.connect())
  } catch (error) {
    if (subscriber.isOpen) subscriber.destroy()
    throw error
  }
  return {
    isCluster: false,
    send: (_key, args) => client.sendCommand(args, OURS) as Promise<Reply>,
    publish: (channel, message) => client.sPublish(channel, message),
    listen: (channel, listener) => subscriber.sSubscribe(channel, listener, true),
    unlisten: (channel, listener) => subscriber.sUnsubscribe(channel, listener, true),
    destroy() {
      for (const one of [client, subscriber]) if (one.isOpen) one.destroy()
    },
  }
}

async function overCluster(options: DriverOptions): Promise<Driver> {
  const settings = settingsOf(options)
  const cluster = createCluster({
    // Asked once each for what the cluster looks like: the next one may know better than one that is frozen.
    rootNodes: options.nodes.map((address) => ({
      ...settings,
      socket: { ...socketOf(address), ...tlsOf(options), reconnectStrategy: false as const },
    })),
    defaults: { ...settings, socket: { ...SOCKET, ...tlsOf(options) } },
    topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
  })
  cluster.on('error', options.onError)
  cluster.on('node-error', options.onError)
  try {
    // Until a replica has taken over, this waits for a primary that is frozen; the next look finds another.
    await options.within(cluster.connect())
  } catch (error) {
    cluster.destroy()
    throw error
  }
  return {
    isCluster: true,
    send: (key, args) => cluster.sendCommand(key, false, [...args], OURS) as Promise<Reply>,
    publish: (channel, message) => cluster.sPublish(channel, message),
    listen: (channel, listener) => cluster.sSubscribe(channel, listener, true),
    unlisten: (channel, listener) => cluster.sUnsubscribe(channel, listener, true),
    destroy: () => cluster.destroy(),
  }
}
