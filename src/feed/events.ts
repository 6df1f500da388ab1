/**
 * Events of posts. Tags 20–39 belong to the feed. Some are reserved and must not be used for anything else: edits (25),
 * quotes (26), mentions (29), media (30).
 */

import { bool, struct, u32, u53, u8, type Struct } from '../core/codec.ts'
import { defineEvent, defineNotice, type Event } from '../engine/events.ts'
import { postFields } from './tables.ts'

/** Key: the author. The event's id becomes the post's id. */
export const posted = defineEvent(20, 'posted', struct(postFields))
export type PostBody = Struct<typeof postFields>
export type Posted = Event<PostBody>

/** Key: the author. */
export const deleted = defineEvent(21, 'deleted', struct({ post: u53, author: u32 }))

/**
 * Key: the author. A post entered the log late, after the horizon had passed its id (see `late.ts`): pages from before
 * `id` may claim to be complete without it.
 */
export const cameLate = defineNotice(23, 'came_late', struct({ id: u53, author: u32 }))

/**
 * Key: the author of `target`. `source` replies to it or reposts it; with `on` false, `source` was deleted. `hidden`: not
 * everybody may see `source`, so it is listed for those who may, and not counted.
 */
export const engaged = defineEvent(
  22,
  'engaged',
  struct({ target: u53, source: u53, kind: u8, on: bool, hidden: bool }),
)

/** Key: the liker. With `on` false, the like ends. `author` is the author of the post. */
export const liked = defineEvent(27, 'liked', struct({ by: u32, post: u53, author: u32, on: bool }))

/**
 * Key: the author of `post`, so that its count has one writer. `id` and `cause` are the id and the version of the
 * `liked` event. May come again after a crash, and then stand behind newer ones: `cause` tells which is the latest,
 * because versions rise in the order of the liker's events (ids of several processes need not).
 */
export const likeCounted = defineEvent(
  28,
  'like_counted',
  struct({ post: u53, by: u32, id: u53, cause: u53, on: bool }),
)

export const ENGAGEMENT = { reply: 0, repost: 1 } as const
