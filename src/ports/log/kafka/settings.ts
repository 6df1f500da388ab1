/** Settings that all parts of the Kafka log share, and the translation of Kafka's errors. */

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
  /** `host:port` of some of the cluster's brokers; the others are found. */
  readonly brokers: readonly string[]
  readonly topic: string
  readonly clientId?: string
  /** Encryption and authentication, in the client's own terms. */
  readonly security?: Pick<ConnectionOptions, 'tls' | 'sasl'>
}

export interface KafkaSettings extends Required<KafkaAddress> {
  readonly env: Env
  /** Called when the log has become unusable. The process should end. */
  readonly onFatal: (error: RivuletError) => void
  /** Receives sentences for the operator: about trouble, and its end. */
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
/** How long a broker waits for its replicas. Below the time-out of a request, so that its answer still arrives. */
export const PRODUCE_TIMEOUT_MS = 3_000
export const REQUEST_TIMEOUT_MS = 5_000
assert(PRODUCE_TIMEOUT_MS < REQUEST_TIMEOUT_MS, 'a broker that waits for its replicas answers in time')

/** Error codes of the protocol that this adapter handles. */
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

/** The protocol's error code in an error of the client, which may be a tree of errors. */
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
  // The last of several tries says most about the present state.
  return leafOf(errors?.at(-1), depth + 1) ?? leafOf(cause, depth + 1) ?? (error as ClientError)
}

export function describeError(error: unknown): string {
  const leaf = leafOf(error)
  if (leaf === undefined) return String(error)
  // The system's aggregate error of refused connections has no message.
  return leaf.apiId ?? (leaf.message || String((leaf as { code?: string }).code))
}

/** For what an operator has to mend. */
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
 * Works around the client, which may look for a broker that has left the cluster since it last looked: the TypeError,
 * thrown in a callback, would end the process.
 */
export function guarded<C extends Pick<Base, typeof kGetConnection>>(client: C): C {
  const get = client[kGetConnection].bind(client)
  client[kGetConnection] = (broker, callback) =>
    (broker as unknown) === undefined
      ? callback(new NetworkError('the broker is gone'))
      : get(broker, callback)
  return client
}

/** Grows with each failure, up to a second. Jittered, so that clients do not all come back at once. */
export const backoffMs = (env: Env, failures: number): number =>
  Math.min(1_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + env.random() / 2)

export function brokerOf(address: string): Broker {
  const at = address.lastIndexOf(':')
  const port = Number(address.slice(at + 1))
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw wrongKafka(`"${address}" is not of the form host:port`)
  }
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port }
}
