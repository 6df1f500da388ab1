/** Shapes that every part of the API shares, as JSON Schema with TypeScript types. */

import Type from 'typebox'
import { ERROR_CODES, type ErrorCode } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'

export const Id = (description: string) =>
  Type.String({ description, pattern: '^[1-9][0-9]{0,15}$', examples: ['3081460916387840'] })
export const AccountRef = (description: string) =>
  Type.String({
    description: `${description}: its id, or \`ext:\` and its external id`,
    examples: ['ext:alice'],
  })
export const Time = (description: string) =>
  Type.String({ description, format: 'date-time', examples: ['2026-01-01T12:00:00.000Z'] })
export const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) =>
  Type.Union([of, Type.Null()])

export const Limit = Type.Optional(
  Type.Integer({
    description: `At most so many, ${LIMITS.pageDefault} by default.`,
    minimum: 1,
    maximum: LIMITS.pageMax,
  }),
)
export const Cursor = (description: string) => Type.Optional(Type.String({ description }))

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'A URN that ends in the code.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; decide by this.', enum: Object.keys(ERROR_CODES) }),
    detail: Type.String({ description: 'For people; may change.' }),
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

/** What any route may answer, whatever it does. */
const COMMON: readonly ErrorCode[] = ['internal']
const OF_CALLERS: readonly ErrorCode[] = [
  'invalid_request',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'overloaded',
  'unavailable',
]
/** The account in `Rivulet-Account` may be nobody. */
const OF_ACTING: readonly ErrorCode[] = ['invalid_id', 'not_found']
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
  /** The server key may act for an account. */
  readonly acting?: boolean
  readonly body?: boolean
  readonly writes?: boolean
}

/** The problem answers of a route, by status: each names the codes it may carry. */
export function problemResponses(codes: readonly ErrorCode[], kinds: ProblemKinds): Record<number, object> {
  const { callers = false, acting = false, body = false, writes = false } = kinds
  const all = [
    ...COMMON,
    ...(callers ? OF_CALLERS : []),
    ...(acting ? OF_ACTING : []),
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
