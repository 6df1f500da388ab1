/**
 * What happens to posts. Tags 20–39 belong to the feed; those of edits (25), quotes (26), reactions (27, 28),
 * mentions (29) and media (30) are reserved and not to be used for anything else.
 */

import { bool, struct, u32, u53, u8 } from '../core/codec.ts'
import { defineEvent, defineNotice } from '../engine/events.ts'
import { postFields } from './tables.ts'

/** Key: the author. The event's id is the post's id. */
export const posted = defineEvent(20, 'posted', struct(postFields))

/** Key: the author. */
export const deleted = defineEvent(21, 'deleted', struct({ post: u53, author: u32 }))

/**
 * Key: the author. A post entered the log after others had taken the process that stamped it for gone: pages from
 * before `id` may claim to be complete without it.
 */
export const cameLate = defineNotice(23, 'came_late', struct({ id: u53, author: u32 }))

/** Key: the author of `target`. A reply to it or a repost of it came (or went, when `on` is false). */
export const engaged = defineEvent(22, 'engaged', struct({ target: u53, source: u53, kind: u8, on: bool }))

export const ENGAGEMENT = { reply: 0, repost: 1 } as const
