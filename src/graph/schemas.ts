/** Schemas of references to accounts, which all domains use: an id, or `ext:` and the application's own id. */

import Type from 'typebox'
import { ID_PATTERN } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { EXTERNAL_ID_PATTERN, HANDLE_PATTERN } from '../core/names.ts'
import { EXAMPLE_ID } from '../http/schemas.ts'
import { READ_BY_HAND } from '../http/validation.ts'

const inside = (pattern: string) => pattern.slice(1, -1)
const EXTERNAL_REF = `ext:${inside(EXTERNAL_ID_PATTERN)}`

/** An external id in an address: its characters, each up to 4 bytes, each byte percent-encoded. */
export const ACCOUNT_REF_CHARS_MAX = 'ext:'.length + LIMITS.externalIdCodePointsMax * 4 * 3

export const AccountRef = (description: string) =>
  Type.String({
    description: `${description}: its id, or \`ext:\` and its external id`,
    pattern: `^(?:${inside(ID_PATTERN)}|${EXTERNAL_REF})$`,
    examples: ['ext:nova'],
    [READ_BY_HAND]: true,
  })
export const ExternalRef = (description: string) =>
  Type.String({
    description,
    pattern: `^${EXTERNAL_REF}$`,
    examples: ['ext:user-17'],
    [READ_BY_HAND]: true,
  })
/** A handle in an address. */
export const HandleRef = Type.String({
  description: 'The handle, regardless of case.',
  pattern: HANDLE_PATTERN,
  examples: ['nova'],
  [READ_BY_HAND]: true,
})

const ENCODED = '%[0-9A-Fa-f]{2}'
/**
 * An account in a header, percent-encoded. Whether the decoded text is an external id, no pattern can say.
 */
const HEADER_PATTERN = `^(?:${inside(ID_PATTERN)}|ext(?::|%3[Aa])(?:[!-$&-~]|${ENCODED})(?:[ -$&-~]|${ENCODED})*)$`

/** The account for which the application sends a request, in a header. */
export const ActingAccount = Type.Optional(
  Type.String({
    description:
      `With the server key: the account to act for, as \`${EXAMPLE_ID}\` or \`ext:nova\`, percent-encoded as in an ` +
      'address.',
    pattern: HEADER_PATTERN,
  }),
)
