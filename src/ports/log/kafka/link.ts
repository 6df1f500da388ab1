/**
 * Connections to brokers, and single requests on them: no retries, no cached metadata. Every request ends within a known
 * time. A connection on which a request failed is not used again, because the client would take the late answer for that
 * of the next request.
 */

import { within } from '../../env/deadlines.ts'
import {
  apiVersionsV3,
  ConnectionPool,
  fetchV13,
  fetchV14,
  fetchV15,
  fetchV16,
  fetchV17,
  initProducerIdV3,
  initProducerIdV4,
  initProducerIdV5,
  listOffsetsV6,
  listOffsetsV7,
  listOffsetsV8,
  listOffsetsV9,
  metadataV10,
  metadataV11,
  metadataV12,
  produceV10,
  produceV11,
  produceV9,
  ResponseError,
  type Broker,
  type Connection,
} from '@platformatic/kafka'
import { RivuletError } from '../../../core/errors.ts'
import { CONNECT_TIMEOUT_MS, REQUEST_TIMEOUT_MS, type KafkaSettings } from './settings.ts'

type Callback = (error: Error | null, response?: unknown) => void
interface Api<A extends unknown[], R> {
  (connection: Connection, ...args: [...A, (error: Error | null, response?: R) => void]): void
  readonly key: number
  readonly version: number
}

/** The versions of each request that we can send, newest first. */
const REQUESTS = {
  metadata: [metadataV12.api, metadataV11.api, metadataV10.api],
  listOffsets: [listOffsetsV9.api, listOffsetsV8.api, listOffsetsV7.api, listOffsetsV6.api],
  initProducerId: [initProducerIdV5.api, initProducerIdV4.api, initProducerIdV3.api],
  produce: [produceV11.api, produceV10.api, produceV9.api],
  fetch: [fetchV17.api, fetchV16.api, fetchV15.api, fetchV14.api, fetchV13.api],
} as const
type Name = keyof typeof REQUESTS
type ArgsOf<N extends Name> = (typeof REQUESTS)[N][0] extends Api<infer A, infer _> ? A : never
type ResponseOf<N extends Name> = (typeof REQUESTS)[N][0] extends Api<infer _, infer R> ? R : never

const SLACK_MS = 500

export class KafkaLink {
  readonly #settings: KafkaSettings
  readonly #requestTimeoutMs: number
  readonly #pool: ConnectionPool
  /** The versions that a broker knows, asked once for each connection, since brokers are upgraded one by one. */
  readonly #versions = new WeakMap<Connection, ReadonlyMap<number, number>>()

  constructor(settings: KafkaSettings, requestTimeoutMs = REQUEST_TIMEOUT_MS) {
    this.#settings = settings
    this.#requestTimeoutMs = requestTimeoutMs
    this.#pool = new ConnectionPool(settings.clientId, {
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      ...settings.security,
    })
    // An error event without a listener would end the process. Callers learn of the error by their request.
    this.#pool.on('connecting', ({ connection }) => void connection.on('error', () => undefined))
  }

  async connect(broker: Broker): Promise<Connection> {
    const connection = await this.#bounded<Connection>(CONNECT_TIMEOUT_MS + SLACK_MS, (callback) =>
      this.#pool.get(broker, callback as never),
    )
    if (!this.#versions.has(connection)) {
      const { apiKeys } = await this.#call<{ apiKeys: { apiKey: number; maxVersion: number }[] }>(
        connection,
        (callback) => apiVersionsV3.api(connection, 'rivulet', '1', callback as never),
      )
      const newest = apiKeys.map(({ apiKey, maxVersion }) => [apiKey, maxVersion] as const)
      this.#versions.set(connection, new Map(newest))
    }
    return connection
  }

  /** Sends a request. An answer with error codes is returned, and the caller looks at them. */
  async request<N extends Name>(
    connection: Connection,
    name: N,
    ...args: ArgsOf<N>
  ): Promise<Exclude<ResponseOf<N>, boolean | undefined>> {
    const newest = this.#versions.get(connection)
    const versions = REQUESTS[name] as unknown as readonly Api<ArgsOf<N>, unknown>[]
    const api = versions.find(({ key, version }) => version <= (newest?.get(key) ?? 0))
    if (api === undefined) {
      throw new RivuletError(
        'config_invalid',
        `Kafka is too old (it lacks a usable version of ${name}); use Kafka 3.1 or newer`,
      )
    }
    try {
      return await this.#call(connection, (callback) => api(connection, ...args, callback))
    } catch (error) {
      if (error instanceof ResponseError) {
        return (error as unknown as { response: Exclude<ResponseOf<N>, boolean | undefined> }).response
      }
      throw error
    }
  }

  async #call<R>(connection: Connection, start: (callback: Callback) => void): Promise<R> {
    try {
      return await this.#bounded<R>(this.#requestTimeoutMs + SLACK_MS, start)
    } catch (error) {
      if (!(error instanceof ResponseError)) connection.socket.destroy()
      throw error
    }
  }

  #bounded<R>(timeoutMs: number, start: (callback: Callback) => void): Promise<R> {
    const task = new Promise<R>((resolve, reject) =>
      start((error, response) => (error === null ? resolve(response as R) : reject(error))),
    )
    return within(this.#settings.env, timeoutMs, task, () => new Error('no answer in time'))
  }

  /** Closes all connections; requests under way fail. */
  close(): void {
    for (const [, connection] of this.#pool) connection.socket?.destroy()
    this.#pool.close().catch(() => undefined)
  }
}
