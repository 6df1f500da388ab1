/**
 * The Cassandra driver with our settings: LOCAL_QUORUM, prepared statements, bounded concurrency, deadlines, retries of
 * idempotent statements, and errors in our own terms.
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
  /** Encrypts connections. Without `ca`, the authorities that Node.js trusts are used. */
  readonly tls?: { readonly ca?: string }
  /** All tables that the store will be used for. */
  readonly tables: readonly Table[]
  /** The deployment's id. A keyspace belongs to the deployment that migrated it first. */
  readonly deployment: string
  /** Receives sentences for the operator. */
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
  /** Several statements must concern one partition, so that they form one mutation. Retried, so they must be idempotent. */
  write(statements: readonly Statement[]): Promise<void>
  /** Runs a lightweight transaction. It is sent once, so after an error its outcome is unknown. */
  transact(statement: Statement): Promise<types.ResultSet>
  /** Reads a row after settling every transaction on its partition that was begun before. */
  readSerial(statement: Statement): Promise<types.Row | undefined>
  /** Runs a schema statement, without parameters. All go to one node, which runs them one after the other. */
  define(query: string): Promise<void>
  /** Reads the schema as that same node sees it. */
  readSchema(statement: Statement): Promise<readonly types.Row[]>
  /** Nodes of the local data centre. */
  nodeCount(): number
  close(): Promise<void>
}

const READ_TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 5_000
const DEFINE_TIMEOUT_MS = 60_000
const SHUTDOWN_TIMEOUT_MS = 5_000
const SPECULATE_AFTER_MS = 250
const SPECULATIONS_MAX = 2
/** The driver's own schedule would end with one try every ten minutes. */
const RECONNECT_MS_MIN = 500
const RECONNECT_MS_MAX = 10_000
const IN_FLIGHT_MAX = 128
const WAITING_MAX = 16_384
const TRIES_MAX = 3
/** No further try after this time, so that a frozen cluster is reported at the first deadline and not at the third. */
const RETRY_WITHIN_MS = 4_000
const PAUSE_MS_MAX = 100

const { consistencies } = types

/** Tries one more node after a failure. The driver's own policy would try every node of the cluster. */
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
    // Used for the nodes that the driver finds, too: it asks the cluster for their addresses, not for their ports.
    protocolOptions: { port: portOf(contactPoints[0]) },
    ...(username !== undefined && { credentials: { username, password: password ?? '' } }),
    ...(tls !== undefined && { sslOptions: { rejectUnauthorized: true, ...tls } }),
    encoding: { useBigIntAsLong: true },
    // Without preparing, a JavaScript number for a bigint column would silently become garbage.
    queryOptions: { prepare: true, consistency: consistencies.localQuorum },
    socketOptions: { readTimeout: READ_TIMEOUT_MS, connectTimeout: CONNECT_TIMEOUT_MS },
    policies: {
      // Given here and not as `localDataCenter`: with a name that does not exist, the driver would leak a connection.
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

/** Tells the operator of nodes that go down. Requests go on without them, only slower, and nothing else would say why. */
function tellOfNodes({ contactPoints, localDataCenter, onNotice }: CassandraOptions, driver: Client): void {
  const ports = new Set(contactPoints.map(portOf))
  if (ports.size > 1) {
    const [first] = ports
    onNotice(
      `${CASSANDRA_SETTINGS.address} names several ports; nodes that are not listed are contacted on port ${first}`,
    )
  }
  const tell = (what: string) => (host: Host) => {
    if (host.datacenter === localDataCenter) onNotice(`Cassandra: the node ${host.address} ${what}`)
  }
  for (const host of driver.hosts.values()) if (!host.isUp()) tell('cannot be reached')(host)
  driver.on('hostDown', tell('cannot be reached'))
  driver.on('hostUp', tell('can be reached again'))
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
      // The driver's types hide that the last page has no `pageState`.
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
      // May be sent speculatively: two serial reads can delay each other, but the first may hang on the node where the
      // transaction did.
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

/** The node for schema statements: the same in every process that sees the same nodes. */
function schemaHost(hosts: readonly Host[]): Host {
  const [first] = hosts.filter((host) => host.isUp()).sort((a, b) => (a.address < b.address ? -1 : 1))
  if (first === undefined) throw unavailable('no Cassandra node of the data centre is up')
  return first
}

/** Repeats an idempotent task a few times, while its failure may pass and there is time. */
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

/** A shutdown may hang on a frozen node. Connections that are open after the timeout end with the process. */
async function shutDown(env: Env, driver: Client): Promise<void> {
  await Promise.race([driver.shutdown().catch(() => undefined), sleep(env, SHUTDOWN_TIMEOUT_MS)])
}

function toConnectError({ contactPoints, localDataCenter }: CassandraOptions, error: unknown): RivuletError {
  const { address, dataCenter } = CASSANDRA_SETTINGS
  const cause = rootOf(error)
  if (cause instanceof errors.ArgumentError) {
    // The driver's message names the data centres that exist.
    const message = `Cassandra cannot be used at '${contactPoints.join(', ')}' with data centre '${localDataCenter}' (${describe(cause)}); check ${address} and ${dataCenter}`
    return configInvalid(message, error)
  }
  const known = toStoreError(error)
  if (known.code !== 'unavailable') return known
  const message = `no Cassandra node can be reached at ${contactPoints.join(', ')} (${describe(error)}); check ${address} and that the nodes are up`
  return unavailable(message, error)
}
