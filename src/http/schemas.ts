/** Schemas that all parts of the API share: JSON Schema with TypeScript types. */

import Type from 'typebox'
import { CURSOR_FORM } from '../core/cursor.ts'
import { ERROR_CODES, type ErrorCode } from '../core/errors.ts'
import { ID_PATTERN } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { invisibleRanges } from '../core/text.ts'
import { IDEMPOTENCY_KEY_PATTERN } from './idempotency.ts'
import { READ_BY_HAND } from './validation.ts'

/** The id in all examples; its time is 2026-01-01T12:00:00Z. */
export const EXAMPLE_ID = '4550515752960192'

export const Id = (description: string) =>
  Type.String({
    description,
    pattern: ID_PATTERN,
    examples: [EXAMPLE_ID],
    [READ_BY_HAND]: true,
  })
/** Text without NUL. */
export const TEXT_PATTERN = '^[^\\u0000]*$'
const INVISIBLE = invisibleRanges()
/** Text without NUL in which at least one character is visible. */
export const SEEN_TEXT_PATTERN = `^[${INVISIBLE}]*[^${INVISIBLE}][^\\u0000]*$`
/** Empty, or text with a visible character as above. */
export const SEEN_OR_EMPTY_PATTERN = `^(?:[${INVISIBLE}]*[^${INVISIBLE}][^\\u0000]*)?$`

export const Time = (description: string) =>
  Type.String({ description, format: 'date-time', examples: ['2026-01-01T12:00:00.000Z'] })
export const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) =>
  Type.Union([of, Type.Null()])

export const Limit = Type.Optional(
  Type.Integer({
    description: 'The most items that the answer may have.',
    minimum: 1,
    maximum: LIMITS.pageMax,
    default: LIMITS.pageDefault,
  }),
)
export const Cursor = (description: string) =>
  Type.Optional(Type.String({ description, ...CURSOR_FORM, [READ_BY_HAND]: true }))

export const IdempotencyKey = Type.String({
  description: 'Makes the write safe to repeat for 24 hours: visible ASCII characters, new for each write.',
  pattern: IDEMPOTENCY_KEY_PATTERN,
  maxLength: LIMITS.idempotencyKeyLengthMax,
  [READ_BY_HAND]: true,
})

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'A URN that ends in the code.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable: clients decide by it.', enum: Object.keys(ERROR_CODES) }),
    detail: Type.String({ description: 'For people; its wording may change.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            path: Type.String({
              description: 'JSON pointer into the body, or `query.…`, `params.…`, `header.…`.',
            }),
            message: Type.String(),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    request_id: Type.String(),
    retriable: Type.Boolean({ description: 'Whether the same request can succeed later.' }),
  },
  { additionalProperties: false, title: 'Problem', description: 'Problem details (RFC 9457).' },
)

/** Codes of every route: a request may lack `Host`, or carry an `Expect` that is not supported. */
const COMMON: readonly ErrorCode[] = ['internal', 'invalid_request', 'expectation_failed']
/** `invalid_id` and `not_found` are about the account in `Rivulet-Account`. */
const OF_CALLERS: readonly ErrorCode[] = [
  'invalid_id',
  'not_found',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'overloaded',
  'unavailable',
]
const OF_PUBLIC: readonly ErrorCode[] = ['rate_limited', 'overloaded']
const OF_PARAMS: readonly ErrorCode[] = ['uri_too_long']
const OF_BODIES: readonly ErrorCode[] = ['payload_too_large', 'unsupported_media_type', 'request_timeout']
const OF_WRITES: readonly ErrorCode[] = [
  'idempotency_in_flight',
  'idempotency_key_reused',
  'shutting_down',
  'outcome_unknown',
]

export interface ProblemKinds {
  /** Needs a token or the server key. */
  readonly callers?: boolean
  /** Takes requests of everybody. */
  readonly public?: boolean
  /** Has parameters in its address. */
  readonly params?: boolean
  readonly body?: boolean
  readonly writes?: boolean
}

/** The problem answers of a route, by status: each names the codes it may carry. */
export function problemResponses(codes: readonly ErrorCode[], kinds: ProblemKinds): Record<number, object> {
  const { callers = false, params = false, body = false, writes = false } = kinds
  const isPublic = kinds.public === true
  const all = [
    ...COMMON,
    ...(callers ? OF_CALLERS : []),
    ...(isPublic ? OF_PUBLIC : []),
    ...(params ? OF_PARAMS : []),
    ...(body ? OF_BODIES : []),
    ...(writes ? OF_WRITES : []),
    ...codes,
  ]
  const byStatus = new Map<number, Set<ErrorCode>>()
  for (const code of all) {
    const status = ERROR_CODES[code]
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code))
  }
  return Object.fromEntries(
    [...byStatus].map(([status, found]) => [
      status,
      {
        description: [...found].map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
      },
    ]),
  )
}
