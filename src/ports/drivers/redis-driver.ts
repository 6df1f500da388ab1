/** The Redis client library, for one server or a cluster, reduced to the few calls that we make. */

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
  /** `host:port` of one or more nodes; other nodes of a cluster are found. */
  readonly nodes: readonly string[]
  readonly username?: string
  readonly password?: string
  /** Encrypts connections. Without `ca`, the authorities that Node.js trusts are used. */
  readonly tls?: { readonly ca?: string }
  readonly onError: (error: unknown) => void
  /** Rejects when a task takes too long: a frozen server accepts a connection, and the client would wait for ever. */
  readonly within: <T>(task: Promise<T>) => Promise<T>
}

const CONNECT_TIMEOUT_MS = 2_000
/** For the client's own commands, such as its greeting: a frozen server accepts a connection and does not answer. */
const GREETING_TIMEOUT_MS = 1_500
const QUEUED_COMMANDS_MAX = 100_000
const RECONNECT_MS_MAX = 1_000
const RECONNECT_MS_MIN = 50
/** After losing a primary, the cluster's nodes are looked up after half a second; the client's default is five. */
const TOPOLOGY_REFRESH_MS = 500

const typeMapping = { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.SIMPLE_STRING]: Buffer } as const
/** Options of our commands: without the client's deadlines, which cost a signal and a timer each. */
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
  // Without a connection, commands fail at once: queued ones would be answered too late for their callers.
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
      // Before the first connection, a failure is reported at once.
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
    // No reconnecting: each is asked once for the cluster's nodes, so that a frozen one does not hold up the next.
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
    // Waits for a frozen primary until a replica has taken over; a later attempt finds the new primary.
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
