/**
 * The driver with our settings: LOCAL_QUORUM, prepared statements, bounded concurrency, deadlines, retries of
 * what may be repeated, and errors in our terms.
 */

import { Client, errors, policies, types, type Host, type QueryOptions } from 'cassandra-driver'
import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { sleep } from '../../env/sleep.ts'
import {
  CASSANDRA_SETTINGS,
  configInvalid,
  describe,
  isPassing,
  rootOf,
  toStoreError,
  unavailable,
} from './errors.ts'
import { createSlots } from './slots.ts'
import type { Table } from '../store.ts'

export interface CassandraOptions {
  readonly env: Env
  /** `host:port` each. */
  readonly contactPoints: readonly string[]
  readonly localDataCenter: string
  readonly keyspace: string
  readonly username?: string
  readonly password?: string
  /** Encrypted; without authorities of its own, those that Node.js trusts. */
  readonly tls?: { readonly ca?: string }
  /** All tables that will be used. */
  readonly tables: readonly Table[]
  /** An id: a keyspace belongs to the deployment that migrated it first. */
  readonly deployment: string
  /** Gets a sentence for the operator. */
  readonly onNotice: (text: string) => void
}

export interface Statement {
  readonly query: string
  readonly params: readonly unknown[]
}

export interface Page {
  readonly rows: readonly types.Row[]
  readonly next: string | undefined
}

export interface PageOptions {
  readonly rows: number
  readonly from?: string | undefined
}

export interface CassandraClient {
  read(statement: Statement, page: PageOptions): Promise<Page>
  /** Several statements must concern one partition of one keyspace: they are one mutation then. Repeated where it failed. */
  write(statements: readonly Statement[]): Promise<void>
  /** A lightweight transaction: sent once, so that an error leaves its outcome unknown. */
  transact(statement: Statement): Promise<types.ResultSet>
  /** Sees, and settles, every transaction on this partition that was begun before. */
  readSerial(statement: Statement): Promise<types.Row | undefined>
  /** Schema statements, without parameters; all through one node, which runs them one after the other. */
  define(query: string): Promise<void>
  /** As that same node sees it. */
  readSchema(statement: Statement): Promise<readonly types.Row[]>
  /** Nodes of our data centre. */
  nodeCount(): number
  close(): Promise<void>
}

const READ_TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 5_000
const DEFINE_TIMEOUT_MS = 60_000
const SHUTDOWN_TIMEOUT_MS = 5_000
const SPECULATE_AFTER_MS = 250
const SPECULATIONS_MAX = 2
/** The driver's own schedule ends in one try every ten minutes. */
const RECONNECT_MS_MIN = 500
const RECONNECT_MS_MAX = 10_000
const IN_FLIGHT_MAX = 128
const WAITING_MAX = 16_384
const TRIES_MAX = 3
/** No further try after this: a frozen cluster is reported at the first deadline, not at the third. */
const RETRY_WITHIN_MS = 4_000
const PAUSE_MS_MAX = 100

const { consistencies } = types

/** One more node after a failure, and no more: the driver's own policy goes on through the whole cluster. */
class OneMoreNode extends policies.retry.RetryPolicy {
  override onRequestError(info: policies.retry.OperationInfo): policies.retry.DecisionInfo {
    return info.nbRetry > 0 ? this.rethrowResult() : this.retryResult(consistencies.localQuorum, false)
  }
}

export async function connectCassandra(options: CassandraOptions): Promise<CassandraClient> {
  const { address, dataCenter } = CASSANDRA_SETTINGS
  if (options.contactPoints.length === 0) throw configInvalid(`${address} names no Cassandra node`)
  if (options.localDataCenter === '') throw configInvalid(`${dataCenter} is empty`)
  const driver = createDriver(options)
  try {
    await driver.connect()
  } catch (error) {
    await shutDown(options.env, driver)
    throw toConnectError(options, error)
  }
  tellOfNodes(options, driver)
  return createClient(options, driver)
}

function createDriver(options: CassandraOptions): Client {
  const { contactPoints, localDataCenter, username, password, tls } = options
  const { loadBalancing, reconnection, speculativeExecution } = policies
  return new Client({
    contactPoints: [...contactPoints],
    // Of the nodes that it finds, too: it asks the cluster for their addresses only.
    protocolOptions: { port: portOf(contactPoints[0]) },
    ...(username !== undefined && { credentials: { username, password: password ?? '' } }),
    ...(tls !== undefined && { sslOptions: { rejectUnauthorized: true, ...tls } }),
    encoding: { useBigIntAsLong: true },
    // Unprepared, a JavaScript number for a bigint column would silently become garbage.
    queryOptions: { prepare: true, consistency: consistencies.localQuorum },
    socketOptions: { readTimeout: READ_TIMEOUT_MS, connectTimeout: CONNECT_TIMEOUT_MS },
    policies: {
      // Not as `localDataCenter`: where there is none of that name, the driver would leave a connection behind.
      loadBalancing: new loadBalancing.DefaultLoadBalancingPolicy({ localDc: localDataCenter }),
      reconnection: new reconnection.ExponentialReconnectionPolicy(RECONNECT_MS_MIN, RECONNECT_MS_MAX, false),
      retry: new OneMoreNode(),
      speculativeExecution: new speculativeExecution.ConstantSpeculativeExecutionPolicy(
        SPECULATE_AFTER_MS,
        SPECULATIONS_MAX,
      ),
    },
    monitorReporting: { enabled: false },
  })
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

/** Without a node requests go on, and nobody would know why they are slower, or all end at one that freezes. */
function tellOfNodes({ contactPoints, localDataCenter, onNotice }: CassandraOptions, driver: Client): void {
  const ports = new Set(contactPoints.map(portOf))
  if (ports.size > 1) {
    const [first] = ports
    onNotice(
      `${CASSANDRA_SETTINGS.address} has several ports; nodes that are found are spoken to on ${first}`,
    )
  }
  const tell = (what: string) => (host: Host) => {
    if (host.datacenter === localDataCenter) onNotice(`Cassandra: the node ${host.address} ${what}`)
  }
  for (const host of driver.hosts.values()) if (!host.isUp()) tell('cannot be reached')(host)
  driver.on('hostDown', tell('cannot be reached'))
  driver.on('hostUp', tell('is reached again'))
}

function createClient(options: CassandraOptions, driver: Client): CassandraClient {
  const { env, localDataCenter } = options
  const slots = createSlots({
    env,
    count: IN_FLIGHT_MAX,
    waitingMax: WAITING_MAX,
    waitMsMax: READ_TIMEOUT_MS,
  })
  const once = (task: () => Promise<types.ResultSet>) => slots.run(task).catch(rethrow)
  const again = (task: () => Promise<types.ResultSet>) => retried(env, () => slots.run(task))
  const execute = ({ query, params }: Statement, more: QueryOptions) =>
    driver.execute(query, [...params], { prepare: true, ...more })
  const localHosts = () => driver.hosts.values().filter((host) => host.datacenter === localDataCenter)

  return {
    async read(statement, { rows, from }) {
      const more = { isIdempotent: true, fetchSize: rows, ...(from !== undefined && { pageState: from }) }
      const result = await again(() => execute(statement, more))
      // The driver's types do not say that the last page has none.
      return { rows: result.rows, next: (result.pageState as string | null | undefined) ?? undefined }
    },
    async write(statements) {
      const [first, second] = statements
      const isIdempotent = true
      if (second === undefined) await again(() => execute(first, { isIdempotent }))
      else
        await again(() => driver.batch(toBatch(statements), { prepare: true, logged: false, isIdempotent }))
    },
    transact: (statement) =>
      once(() =>
        execute(statement, {
          isIdempotent: false,
          serialConsistency: consistencies.serial,
          retry: new policies.retry.FallthroughRetryPolicy(),
        }),
      ),
    async readSerial(statement) {
      // Also speculatively: two such reads may hinder each other, but the first may hang where the write did.
      const more = { isIdempotent: true, consistency: consistencies.serial }
      return (await again(() => execute(statement, more))).rows.at(0)
    },
    async define(query) {
      const more = { readTimeout: DEFINE_TIMEOUT_MS, isIdempotent: false, host: schemaHost(localHosts()) }
      await once(() => driver.execute(query, [], { ...more, prepare: false }))
    },
    async readSchema(statement) {
      const more = { consistency: consistencies.one, host: schemaHost(localHosts()) }
      return (await again(() => execute(statement, more))).rows
    },
    nodeCount: () => localHosts().length,
    close: () => shutDown(env, driver),
  }
}

const toBatch = (statements: readonly Statement[]) =>
  statements.map(({ query, params }) => ({ query, params: [...params] }))

/** The same for every process that sees the same nodes. */
function schemaHost(hosts: readonly Host[]): Host {
  const [first] = hosts.filter((host) => host.isUp()).sort((a, b) => (a.address < b.address ? -1 : 1))
  if (first === undefined) throw unavailable('no Cassandra node of the data centre is up')
  return first
}

/** What may be sent twice is, a few times, while the failure can pass and there is time. */
async function retried<T>(env: Env, task: () => Promise<T>): Promise<T> {
  const startMs = env.monotonicMs()
  for (let tries = 1; ; tries++) {
    try {
      return await task()
    } catch (error) {
      const isLast = tries === TRIES_MAX || env.monotonicMs() - startMs > RETRY_WITHIN_MS
      if (isLast || !isPassing(error)) throw toStoreError(error)
    }
    await sleep(env, env.random() * PAUSE_MS_MAX * tries)
  }
}

function rethrow(error: unknown): never {
  throw toStoreError(error)
}

/** It may hang on a node that is frozen: what is not closed by then ends with the process. */
async function shutDown(env: Env, driver: Client): Promise<void> {
  await Promise.race([driver.shutdown().catch(() => undefined), sleep(env, SHUTDOWN_TIMEOUT_MS)])
}

function toConnectError({ contactPoints, localDataCenter }: CassandraOptions, error: unknown): RivuletError {
  const { address, dataCenter } = CASSANDRA_SETTINGS
  const cause = rootOf(error)
  if (cause instanceof errors.ArgumentError) {
    // It names the data centres that there are.
    const message = `Cassandra cannot be used at '${contactPoints.join(', ')}' with data centre '${localDataCenter}' (${describe(cause)}); check ${address} and ${dataCenter}`
    return configInvalid(message, error)
  }
  const known = toStoreError(error)
  if (known.code !== 'unavailable') return known
  const message = `no Cassandra node can be reached at ${contactPoints.join(', ')} (${describe(error)}); check ${address} and that the nodes are up`
  return unavailable(message, error)
}
