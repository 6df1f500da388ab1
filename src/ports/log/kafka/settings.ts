/** What the parts of the Kafka log are configured with, and what its errors mean. */

import {
  kGetConnection,
  NetworkError,
  protocolErrors,
  type Base,
  type Broker,
  type ConnectionOptions,
} from '@platformatic/kafka'
import { assert, RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'

/** How the brokers are reached. */
export interface KafkaAddress {
  /** `host:port`; some of the cluster's brokers are enough. */
  readonly brokers: readonly string[]
  readonly topic: string
  readonly clientId?: string
  /** Encryption and authentication, in the client's own terms. */
  readonly security?: Pick<ConnectionOptions, 'tls' | 'sasl'>
}

export interface KafkaSettings extends Required<KafkaAddress> {
  readonly env: Env
  /** The log is unusable: the process should end. */
  readonly onFatal: (error: RivuletError) => void
  /** What an operator should know: trouble, and its end. */
  readonly onNotice: (text: string) => void
}

export const settingsOf = (
  options: KafkaAddress & Pick<KafkaSettings, 'env'> & Partial<KafkaSettings>,
): KafkaSettings => ({
  clientId: 'rivulet',
  security: {},
  onFatal: () => undefined,
  onNotice: () => undefined,
  ...options,
})

export const CONNECT_TIMEOUT_MS = 3_000
/** How long a broker waits for its replicas; below the request's own time-out, so that its answer still comes. */
export const PRODUCE_TIMEOUT_MS = 3_000
export const REQUEST_TIMEOUT_MS = 5_000
assert(PRODUCE_TIMEOUT_MS < REQUEST_TIMEOUT_MS, 'a broker that waits for its replicas answers in time')

/** Codes of the protocol that this adapter acts upon. */
export const CODE = {
  offsetOutOfRange: 1,
  unknownTopic: 3,
  topicDenied: 29,
  topicExists: 36,
  invalidReplication: 38,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidProducerIdMapping: 49,
  unknownProducerId: 59,
} as const

/** The first error code of the protocol in an error of the client, which may be a tree of them. */
export const codeOf = (error: unknown): number | undefined => leafOf(error)?.apiCode

export const nameOf = (code: number | undefined): string =>
  Object.values(protocolErrors).find((known) => known.code === code)?.id ?? `error ${code}`

interface ClientError {
  readonly message: string
  readonly apiCode?: number
  readonly apiId?: string
  readonly errors?: readonly unknown[]
  readonly cause?: unknown
}

function leafOf(error: unknown, depth = 0): ClientError | undefined {
  if (!(error instanceof Error) || depth > 8) return undefined
  const { errors, cause } = error as ClientError
  // the last of several tries says most about how things are now
  return leafOf(errors?.at(-1), depth + 1) ?? leafOf(cause, depth + 1) ?? (error as ClientError)
}

export function describeError(error: unknown): string {
  const leaf = leafOf(error)
  if (leaf === undefined) return String(error)
  // the system's aggregate of refused connections has no text of its own
  return leaf.apiId ?? (leaf.message || String((leaf as { code?: string }).code))
}

/** An operator must mend it. */
export const wrongKafka = (message: string): RivuletError =>
  new RivuletError('config_invalid', `Kafka (RIVULET_KAFKA): ${message}`)

export const unreachable = (brokers: readonly string[], cause: unknown): RivuletError =>
  new RivuletError(
    'unavailable',
    `Kafka does not answer at ${brokers.join(', ')} (${describeError(cause)}): ` +
      'check that it runs, that RIVULET_KAFKA names its brokers, and whether they want RIVULET_KAFKA_TLS',
    { retryAfterMs: 1_000, cause },
  )

/**
 * The client looks up a broker by what it learnt at another time; one that is gone since would end the process
 * with a TypeError out of a callback.
 */
export function guarded<C extends Pick<Base, typeof kGetConnection>>(client: C): C {
  const get = client[kGetConnection].bind(client)
  client[kGetConnection] = (broker, callback) =>
    (broker as unknown) === undefined
      ? callback(new NetworkError('the broker is gone'))
      : get(broker, callback)
  return client
}

/** Grows with each failure up to a second, and is jittered so that clients do not come back all at once. */
export const backoffMs = (env: Env, failures: number): number =>
  Math.min(1_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + env.random() / 2)

export function brokerOf(address: string): Broker {
  const at = address.lastIndexOf(':')
  const port = Number(address.slice(at + 1))
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw wrongKafka(`"${address}" is not host:port`)
  }
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port }
}
