/**
 * The one error type that crosses module boundaries. Its code is stable and documented (docs/api.md), its message may
 * change. `retriable` says whether the same request can succeed later.
 */

export const ERROR_CODES = {
  // something is wrong with the request
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
  // something is wrong with the system
  internal: 500,
  overloaded: 503,
  unavailable: 503,
  not_ready: 503,
  shutting_down: 503,
  outcome_unknown: 504,
  // start-up and data folders: such an error ends a command and never reaches an HTTP client
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
  /** A JSON pointer into the body, or a name such as `query.limit` for other places. */
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

/** Whether the same call can succeed later. An error that is no `RivuletError` is a bug, and would come again. */
export const isRetriable = (error: unknown): error is RivuletError => isRivuletError(error) && error.retriable

/** 5xx codes that say that nothing was done. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(['overloaded', 'unavailable', 'shutting_down'])

/** Whether the error says that nothing was appended: the request was wrong, or the engine would not take it. */
export const isRefusal = (error: unknown): boolean =>
  isRivuletError(error) && (error.status < 500 || REFUSED.has(error.code))

const BROKEN_INVARIANT = 'invariant broken: '

/** For invariants of the code, never for input: a failed assertion is a bug, and the message names it. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new RivuletError('internal', BROKEN_INVARIANT + message)
}

/** The same error for what does not exist and for what this caller may not see, so that nobody can tell them apart. */
export const notFound = (): RivuletError =>
  new RivuletError('not_found', 'this does not exist, or you may not see it')

/**
 * Wraps the read that follows an accepted write to answer with its result. When the read fails, its error must not
 * look as if the write had failed: it becomes `outcome_unknown`. A caller that repeats the request with the same
 * idempotency key then gets the result.
 */
export async function afterAccepted<T>(task: Promise<T>): Promise<T> {
  try {
    return await task
  } catch (error) {
    if (!isRetriable(error)) throw error
    const message =
      'the write was accepted, but its result cannot be read now; repeat the request with the same idempotency key'
    throw new RivuletError('outcome_unknown', message, { cause: error })
  }
}
