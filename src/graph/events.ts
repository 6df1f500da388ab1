/** Events of accounts and of pairs of accounts. The key, named beside each, decides its partition of the log. */

import { bool, list, optional, struct, text, u32, u32Array, u53, u8 } from '../core/codec.ts'
import { defineEvent, defineNotice } from '../engine/events.ts'

const profile = {
  handle: optional(text),
  displayName: optional(text),
  bio: optional(text),
}

/** Key: the account. `account` is its id, to which the claims of its handle and external id point. */
export const accountCreated = defineEvent(
  1,
  'account_created',
  struct({ account: u53, number: u32, externalId: optional(text), ...profile }),
)
/** Key: the account. Fields that are absent stay as they are. */
export const accountChanged = defineEvent(2, 'account_changed', struct({ number: u32, ...profile }))

const edge = struct({ follower: u32, followee: u32 })
/** Key: the followee, so that "followed before the post" is the order of one partition. */
export const followed = defineEvent(3, 'followed', edge)
/**
 * Key: the followee. With `before`, the event ends only a follow whose id is below it. Version 0.1.0 appended such
 * events when the follower blocked the followee; no version since does.
 */
export const unfollowed = defineEvent(
  4,
  'unfollowed',
  struct({ follower: u32, followee: u32, before: optional(u53) }),
)

const pair = struct({ by: u32, of: u32 })
/** Key of these four: `by`, the account that blocks or mutes. */
export const blocked = defineEvent(5, 'blocked', pair)
export const unblocked = defineEvent(6, 'unblocked', pair)
export const muted = defineEvent(7, 'muted', pair)
export const unmuted = defineEvent(8, 'unmuted', pair)

/** Key: the account. `override`: 0 auto, 1 push, 2 pull. `share`: to how many eighths of its followers it is pushed. */
export const tierSet = defineEvent(9, 'tier_set', struct({ number: u32, override: u8, share: u8 }))
/** Key: 0. The settings that change, as JSON, so that a new setting needs no new event. */
export const policyChanged = defineEvent(10, 'policy_changed', struct({ policy: text }))

/**
 * Key: the account. Changes no row. A token with an idempotency key is derived from this event's id and time, so that
 * a repeated request finds the event and makes the same token.
 */
export const tokenMinted = defineEvent(11, 'token_minted', struct({ number: u32 }))

/**
 * Key: one of the authors. Marks that are stored already, told to other processes: their readers know the marks before
 * the horizon passes the posts. In `raises`, `key` is the author and `id` the post.
 */
export const marksRaised = defineNotice(
  12,
  'marks_raised',
  struct({ raises: list(struct({ key: u32, share: u8, id: u53 })) }),
)
/** Key: the followee. Its follower has blocked it, or lifted the block, by the event `id`. */
export const barred = defineEvent(14, 'barred', struct({ follower: u32, followee: u32, on: bool, id: u53 }))

/** Key: 0. Accounts that one of several processes has seen in a minute. */
export const seen = defineEvent(13, 'seen', struct({ minute: u32, numbers: u32Array }))
