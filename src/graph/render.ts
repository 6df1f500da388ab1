/** Accounts, relationships and the policy as JSON, and the JSON Schemas of both requests and answers. */

import Type from 'typebox'
import { idTimeMs } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { OVERRIDES, SHARES } from '../engine/fanout/policy.ts'
import { EXTERNAL_ID_PATTERN, HANDLE_PATTERN } from '../core/names.ts'
import { batchAnswer, batchBody, batchFields } from '../http/batch-schemas.ts'
import { Cursor, Id, Limit, Nullable, SEEN_OR_EMPTY_PATTERN, TEXT_PATTERN, Time } from '../http/schemas.ts'
import { READ_BY_HAND } from '../http/validation.ts'
import type { Relationship } from './commands/relationship.ts'
import { POLICY_DEFAULTS } from './policy.ts'
import type { Account } from './tables.ts'
import { AccountRef } from './schemas.ts'

const closed = { additionalProperties: false }

const names = {
  handle: Nullable(Type.String()),
  external_id: Nullable(Type.String({ description: "The application's own id." })),
  display_name: Nullable(Type.String()),
}

export const AuthorSchema = Type.Object({ id: Id('The account.'), ...names }, { ...closed, title: 'Author' })

export const RelationshipSchema = Type.Object(
  {
    following: Type.Boolean(),
    followed_by: Type.Boolean(),
    blocking: Type.Boolean(),
    muting: Type.Boolean(),
  },
  { ...closed, title: 'Relationship', description: 'How the caller stands to the account.' },
)

export const AccountSchema = Type.Object(
  {
    id: Id('The account.'),
    ...names,
    bio: Nullable(Type.String()),
    followers_count: Type.Integer({ minimum: 0 }),
    following_count: Type.Integer({ minimum: 0 }),
    posts_count: Type.Integer({ minimum: 0 }),
    created_at: Time('When the account was created.'),
    viewer: Type.Optional(Type.Object(RelationshipSchema.properties, closed)),
  },
  { ...closed, title: 'Account' },
)

export const AccountPageSchema = Type.Object(
  {
    accounts: Type.Array(Type.Object(AuthorSchema.properties, closed)),
    next_cursor: Nullable(Type.String()),
    has_more: Type.Boolean(),
  },
  { ...closed, title: 'AccountPage' },
)

export const AccountListQuery = Type.Object(
  { cursor: Cursor('`next_cursor` of the page before.'), limit: Limit },
  closed,
)

const profile = {
  handle: Type.Optional(
    Type.String({
      description: `1 to ${LIMITS.handleLengthMax} letters, digits, "_", "." or "-". A handle that its account gave up stays taken.`,
      pattern: HANDLE_PATTERN,
      [READ_BY_HAND]: true,
    }),
  ),
  display_name: Type.Optional(
    Type.String({
      description:
        `At most ${LIMITS.displayNameGraphemesMax} characters, as people count them, and ` +
        `${LIMITS.displayNameBytesMax} bytes of UTF-8. Empty, or with a visible character.`,
      pattern: SEEN_OR_EMPTY_PATTERN,
      maxLength: LIMITS.displayNameBytesMax,
      [READ_BY_HAND]: true,
    }),
  ),
  bio: Type.Optional(
    Type.String({
      description:
        `At most ${LIMITS.bioGraphemesMax} characters, as people count them, and ` +
        `${LIMITS.bioBytesMax} bytes of UTF-8.`,
      pattern: TEXT_PATTERN,
      maxLength: LIMITS.bioBytesMax,
      [READ_BY_HAND]: true,
    }),
  ),
}
export const ProfileBody = Type.Object(profile, { ...closed, examples: [{ display_name: 'Ada' }] })
/** A change of one's own profile, which must change something. */
export const ProfileChange = Type.Object(profile, {
  ...closed,
  minProperties: 1,
  examples: [{ bio: 'I count.' }],
})
export const NewAccountBody = Type.Object(
  {
    ...profile,
    external_id: Type.Optional(
      Type.String({
        description:
          `The application's own id: 1 to ${LIMITS.externalIdCodePointsMax} Unicode code points ` +
          `(so at most ${4 * LIMITS.externalIdCodePointsMax} bytes of UTF-8), no control characters.`,
        pattern: EXTERNAL_ID_PATTERN,
        [READ_BY_HAND]: true,
      }),
    ),
  },
  { ...closed, examples: [{ external_id: 'user-17', handle: 'ada', display_name: 'Ada' }] },
)

export const BatchAccount = Type.Object({ ...NewAccountBody.properties, ...batchFields }, closed)
export const BatchAccountsBody = batchBody(BatchAccount, { external_id: 'user-18', display_name: 'Bo' })
export const BatchAccountsSchema = batchAnswer('BatchAccounts', AccountSchema.properties)
export const BatchFollow = Type.Object(
  { follower: AccountRef('Who follows'), followee: AccountRef('Who is followed'), ...batchFields },
  closed,
)
export const BatchFollowsBody = batchBody(BatchFollow, { follower: 'ext:guest', followee: 'ext:nova' })
export const BatchFollowsSchema = batchAnswer('BatchFollows', RelationshipSchema.properties)

export const TokenBody = Type.Object(
  { account_id: AccountRef('Who the token is for') },
  { ...closed, examples: [{ account_id: 'ext:guest' }] },
)
export const TokenSchema = Type.Object(
  { token: Type.String(), expires_at: Time('When the token expires.') },
  { ...closed, title: 'Token' },
)

const share = Type.Integer({
  description:
    'To how many eighths of the followers posts are pushed while the tier is push; the others pull them.',
  minimum: 0,
  maximum: SHARES,
})
const tier = Type.Enum([...OVERRIDES])
export const TierBody = Type.Object(
  { tier, push_share: Type.Optional(share) },
  { ...closed, examples: [{ tier: 'auto' }] },
)
export const TierSchema = Type.Object(
  { account_id: Id('The account.'), tier, push_share: share },
  { ...closed, title: 'Tier' },
)

const policy = {
  push_threshold_followers: Type.Integer({
    description: `Posts of an author with at least so many followers are pulled. ${POLICY_DEFAULTS.push_threshold_followers} by default.`,
    minimum: 0,
    maximum: 1_000_000_000,
  }),
  inactive_days: Type.Integer({
    description:
      'Fan-out skips readers who were not seen for so many days; their timelines are rebuilt when they return.',
    minimum: 1,
    maximum: 3_650,
  }),
  active_hours: Type.Integer({
    description:
      'A large fan-out serves readers seen within so many hours before the others. At most 24 × `inactive_days`.',
    minimum: 1,
    maximum: 87_600,
  }),
}
export const PolicySchema = Type.Object(policy, { ...closed, title: 'Policy' })
export const PolicyBody = Type.Object(
  {
    push_threshold_followers: Type.Optional(policy.push_threshold_followers),
    inactive_days: Type.Optional(policy.inactive_days),
    active_hours: Type.Optional(policy.active_hours),
  },
  { ...closed, minProperties: 1, examples: [{ inactive_days: 30 }] },
)

export interface AccountCounts {
  readonly followers: number
  readonly following: number
  readonly posts: number
}

/** The short form of an account: as the author of a post, and in lists. */
export const authorBody = ({ id, handle, externalId, displayName }: Account) => ({
  id: String(id),
  handle: handle ?? null,
  external_id: externalId ?? null,
  display_name: displayName ?? null,
})

export const accountBody = (account: Account, counts: AccountCounts, viewer: Relationship | undefined) => ({
  ...authorBody(account),
  bio: account.bio ?? null,
  followers_count: counts.followers,
  following_count: counts.following,
  posts_count: counts.posts,
  created_at: isoTime(idTimeMs(account.id)),
  ...(viewer === undefined ? {} : { viewer: relationshipBody(viewer) }),
})

export const relationshipBody = ({ following, followedBy, blocking, muting }: Relationship) => ({
  following,
  followed_by: followedBy,
  blocking,
  muting,
})

export const isoTime = (ms: number): string => new Date(ms).toISOString()
