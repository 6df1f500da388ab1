/**
 * Translates the driver's errors. A failure that may pass becomes `unavailable`; one that an operator has to mend becomes
 * `config_invalid` and names the setting.
 */

import { errors, types } from 'cassandra-driver'
import { isRivuletError, RivuletError } from '../../../core/errors.ts'

/** The settings that messages name. */
export const CASSANDRA_SETTINGS = {
  address: 'RIVULET_CASSANDRA',
  keyspace: 'RIVULET_CASSANDRA_KEYSPACE',
  dataCenter: 'RIVULET_CASSANDRA_DATACENTER',
  username: 'RIVULET_CASSANDRA_USERNAME',
  password: 'RIVULET_CASSANDRA_PASSWORD',
  replication: 'RIVULET_CASSANDRA_REPLICATION',
} as const

const RETRY_AFTER_MS = 1_000

const { responseErrorCodes: codes } = types
/** Missing in the driver's list: the coordinator does not know whether a conditional write was applied. */
const CAS_WRITE_UNKNOWN = 0x1700
const PASSING: ReadonlySet<number> = new Set([
  codes.serverError,
  codes.unavailableException,
  codes.overloaded,
  codes.isBootstrapping,
  codes.writeTimeout,
  codes.readTimeout,
  codes.readFailure,
  codes.writeFailure,
  CAS_WRITE_UNKNOWN,
])

export const unavailable = (message: string, cause?: unknown): RivuletError =>
  new RivuletError('unavailable', message, { retryAfterMs: RETRY_AFTER_MS, cause })

export const configInvalid = (message: string, cause?: unknown): RivuletError =>
  new RivuletError('config_invalid', message, { cause })

/** Whether the same call may succeed in a moment. It does not say whether the failed call took effect. */
export const isPassing = (error: unknown): boolean => isRivuletError(toStoreError(error), 'unavailable')

export function toStoreError(error: unknown): RivuletError {
  if (isRivuletError(error)) return error
  const cause = rootOf(error)
  const detail = describe(cause)
  const { username, password } = CASSANDRA_SETTINGS
  if (cause instanceof errors.AuthenticationError || codeOf(cause) === codes.badCredentials) {
    return configInvalid(`Cassandra refuses the login (${detail}); check ${username} and ${password}`, error)
  }
  if (codeOf(cause) === codes.unauthorized) {
    const next = `grant it SELECT and MODIFY on the keyspace, and CREATE for a migration`
    return configInvalid(`Cassandra allows the user of ${username} too little (${detail}); ${next}`, error)
  }
  if (isConnectionTrouble(cause)) {
    // Addresses go to the process's log only, as the cause: API clients see the message.
    return unavailable(
      'the store does not answer in time or lacks replicas',
      new Error(detail, { cause: error }),
    )
  }
  return new RivuletError('internal', `Cassandra refused a statement: ${detail}`, { cause: error })
}

function isConnectionTrouble(cause: unknown): boolean {
  return (
    cause instanceof errors.NoHostAvailableError ||
    cause instanceof errors.OperationTimedOutError ||
    cause instanceof errors.BusyConnectionError ||
    PASSING.has(codeOf(cause)) ||
    // The last connection of a pool has just closed; the driver has no type for that.
    (cause instanceof Error && cause.message === 'No connection available') ||
    // A socket closed, as marked by the driver or by the system.
    (cause instanceof Error && ('isSocketError' in cause || 'syscall' in cause))
  )
}

/** "No host available" says only that all hosts failed. A final error is among the hosts' own errors. */
export function rootOf(error: unknown): unknown {
  const isFinal = (each: unknown) =>
    each instanceof errors.AuthenticationError ||
    each instanceof errors.ArgumentError ||
    codeOf(each) === codes.badCredentials ||
    codeOf(each) === codes.unauthorized
  return Object.values(innerErrors(error)).find(isFinal) ?? error
}

/** Describes an error by what each host said; the driver's own message contains a stack trace. */
export function describe(error: unknown): string {
  const byHost = Object.entries(innerErrors(error))
  if (byHost.length > 0) return byHost.map(([host, inner]) => `${host}: ${describe(inner)}`).join('; ')
  return error instanceof Error ? error.message : String(error)
}

const innerErrors = (error: unknown): Readonly<Record<string, unknown>> =>
  error instanceof errors.NoHostAvailableError ? ((error.innerErrors ?? {}) as Record<string, unknown>) : {}

const codeOf = (error: unknown): number => (error instanceof errors.ResponseError ? error.code : -1)
