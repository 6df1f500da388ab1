/**
 * The one error type that crosses module boundaries. A code is stable and documented (docs/api.md);
 * a message may change. `retriable` tells a caller whether the same request can succeed later.
 */

export const ERROR_CODES = {
  // the request itself
  invalid_request: 400,
  invalid_cursor: 400,
  invalid_id: 400,
  follow_self: 400,
  block_self: 400,
  mute_self: 400,
  unauthorized: 401,
  forbidden: 403,
  follow_refused: 403,
  repost_refused: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  handle_taken: 409,
  external_id_taken: 409,
  idempotency_in_flight: 409,
  follow_limit: 409,
  payload_too_large: 413,
  uri_too_long: 414,
  unsupported_media_type: 415,
  expectation_failed: 417,
  idempotency_key_reused: 422,
  rate_limited: 429,
  // the system
  internal: 500,
  overloaded: 503,
  unavailable: 503,
  not_ready: 503,
  shutting_down: 503,
  outcome_unknown: 504,
  // start-up and data folders; these end a command, they never reach HTTP
  config_invalid: 500,
  data_locked: 500,
  data_newer_format: 500,
  data_corrupt: 500,
  disk_error: 500,
  import_invalid: 500,
} as const

export type ErrorCode = keyof typeof ERROR_CODES

const RETRIABLE: ReadonlySet<ErrorCode> = new Set([
  'request_timeout',
  'idempotency_in_flight',
  'rate_limited',
  'overloaded',
  'unavailable',
  'not_ready',
  'shutting_down',
  'outcome_unknown',
])

export interface FieldError {
  /** JSON pointer into the body, or `query.limit`-style for other places. */
  readonly path: string
  readonly message: string
}

export interface RivuletErrorOptions {
  readonly errors?: readonly FieldError[]
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

export class RivuletError extends Error {
  readonly code: ErrorCode
  readonly errors: readonly FieldError[] | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: RivuletErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RivuletError'
    this.code = code
    this.errors = options.errors
    this.retryAfterMs = options.retryAfterMs
  }

  get status(): number {
    return ERROR_CODES[this.code]
  }

  get retriable(): boolean {
    return RETRIABLE.has(this.code)
  }
}

export const isRivuletError = (error: unknown, code?: ErrorCode): error is RivuletError =>
  error instanceof RivuletError && (code === undefined || error.code === code)

/** The same can succeed later; what is no error of ours is a bug, and never passes. */
export const isRetriable = (error: unknown): error is RivuletError => isRivuletError(error) && error.retriable

/** The same as saying that nothing happened. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(['overloaded', 'unavailable', 'shutting_down'])

/** Nothing was appended: the caller was wrong, or the engine would not take more. */
export const isRefusal = (error: unknown): boolean =>
  isRivuletError(error) && (error.status < 500 || REFUSED.has(error.code))

const BROKEN_INVARIANT = 'invariant broken: '

/** An invariant of ours, not of the caller's input: it names a bug. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new RivuletError('internal', BROKEN_INVARIANT + message)
}

export const isBrokenInvariant = (error: unknown): boolean =>
  isRivuletError(error, 'internal') && error.message.startsWith(BROKEN_INVARIANT)

/** One text for everything that is not there, or not for this caller. */
export const notFound = (): RivuletError =>
  new RivuletError('not_found', 'there is no such thing here, or it is not for you')

/**
 * For what is read after a write was accepted, to tell what it made: that this fails must not pass for the write.
 * Its caller asks again, with the same key if it had one.
 */
export async function afterAccepted<T>(task: Promise<T>): Promise<T> {
  try {
    return await task
  } catch (error) {
    if (!isRetriable(error)) throw error
    const message = 'the write was accepted; what it made cannot be read now'
    throw new RivuletError('outcome_unknown', message, { cause: error })
  }
}
