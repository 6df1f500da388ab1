/**
 * For each rule of the home feed, the smallest world in which it decides. A world is built twice: once with the one step
 * that makes the rule remove the post, and once without it.
 */

import { createCursorSeal } from '../../../src/core/cursor.ts'
import { posted } from '../../../src/feed/events.ts'
import { sealHome } from '../../../src/feed/home/cursors.ts'
import { outboxTable, VISIBILITY } from '../../../src/feed/index.ts'
import { rowVersion } from '../../../src/ports/store/store.ts'
import { TEST_SECRET, type TestEngine } from '../../support/engine.ts'

export interface World {
  readonly reader: number
  /** The post that the rule removes, or that stays. */
  readonly post: number
  /** The page is one for `after` with this cursor, and no first page. */
  readonly after?: string
}

/** @param decisive whether to take the step that makes the rule remove the post */
export type RuleCase = (engine: TestEngine, decisive: boolean) => Promise<World>

/** No post has this id. */
const GHOST = 4_711

/** A reader who follows an author. */
async function followee(engine: TestEngine) {
  const [reader, author, stranger] = await engine.people(3)
  await engine.rivulet.graph.commands.follow(reader, author)
  return { reader, author, stranger, ...engine.rivulet.graph.commands }
}

/** The same, and a post of the author is in the reader's timeline: it stays there, whatever happens next. */
async function pushed(engine: TestEngine) {
  const world = await followee(engine)
  await engine.ids(world.reader)
  await engine.rivulet.settle()
  const post = await engine.post(world.author)
  await engine.rivulet.settle()
  return { ...world, post }
}

/** Appends a repost as an import or an older version might have left it: commands refuse to repost such an original. */
async function repostUnchecked({ rivulet }: TestEngine, author: number, repostOf: number): Promise<number> {
  const { id } = await rivulet.engine.produce(posted, author, {
    author,
    visibility: VISIBILITY.public,
    content: undefined,
    custom: undefined,
    replyTo: 0,
    replyToAuthor: 0,
    repostOf,
    repostOfAuthor: 0,
    clientRef: undefined,
  })
  return id
}

export const RULE_CASES: Readonly<Record<string, RuleCase>> = {
  async missing(engine, decisive) {
    const [reader] = await engine.people(1)
    if (!decisive) return { reader, post: await engine.post(reader) }
    // The outbox lists a post that has no row.
    const row = outboxTable.row(outboxTable.key(reader, GHOST), rowVersion(0, 1), { on: true, kind: 0 })
    await engine.rivulet.engine.store.write([row])
    return { reader, post: GHOST }
  },

  async blocked(engine, decisive) {
    const { reader, author, stranger, post, block } = await pushed(engine)
    await block(reader, decisive ? author : stranger, true)
    return { reader, post }
  },

  async not_followed(engine, decisive) {
    const { reader, author, post, unfollow } = await pushed(engine)
    if (decisive) await unfollow(reader, author)
    return { reader, post }
  },

  async muted(engine, decisive) {
    const { reader, author, stranger, post, mute } = await pushed(engine)
    await mute(reader, decisive ? author : stranger, true)
    return { reader, post }
  },

  async deleted(engine, decisive) {
    const { reader, author, post } = await pushed(engine)
    if (decisive) await engine.rivulet.feed.commands.delete(author, post)
    return { reader, post }
  },

  async original_missing(engine, decisive) {
    const { reader, author, stranger } = await followee(engine)
    const original = decisive ? GHOST : await engine.post(stranger)
    return { reader, post: await repostUnchecked(engine, author, original) }
  },

  async original_deleted(engine, decisive) {
    const { reader, author, stranger } = await followee(engine)
    const original = await engine.post(stranger)
    const post = await engine.post(author, { repostOf: original })
    if (decisive) await engine.rivulet.feed.commands.delete(stranger, original)
    return { reader, post }
  },

  async not_visible(engine, decisive) {
    const { reader, author } = await followee(engine)
    const visibility = decisive ? 'self' : 'followers'
    const { id } = await engine.rivulet.feed.commands.post(author, { content: 'text', visibility })
    return { reader, post: id }
  },

  async original_not_public(engine, decisive) {
    const { reader, author, stranger } = await followee(engine)
    const visibility = decisive ? 'followers' : 'public'
    const { id } = await engine.rivulet.feed.commands.post(stranger, { content: 'text', visibility })
    return { reader, post: await repostUnchecked(engine, author, id) }
  },

  async original_blocked(engine, decisive) {
    const { reader, author, stranger, block } = await followee(engine)
    const post = await engine.post(author, { repostOf: await engine.post(stranger) })
    await block(stranger, reader, decisive)
    return { reader, post }
  },

  async original_muted(engine, decisive) {
    const { reader, author, stranger, mute } = await followee(engine)
    const post = await engine.post(author, { repostOf: await engine.post(stranger) })
    await mute(reader, stranger, decisive)
    return { reader, post }
  },

  async reply_to_unfollowed(engine, decisive) {
    const { reader, author, stranger, follow } = await followee(engine)
    const post = await engine.post(author, { replyTo: await engine.post(stranger) })
    if (!decisive) await follow(reader, stranger)
    return { reader, post }
  },

  async repost_seen(engine, decisive) {
    const { reader, author, stranger } = await followee(engine)
    const [original, other] = [await engine.post(stranger), await engine.post(stranger)]
    const post = await engine.post(author, { repostOf: original })
    await engine.post(reader, { repostOf: decisive ? original : other })
    return { reader, post }
  },

  async already_served(engine, decisive) {
    const { reader, author } = await followee(engine)
    const post = await engine.post(author)
    const { changeId } = await engine.rivulet.graph.circles.of(reader)
    // As after a page that was made before the post was fanned out, and has served it nevertheless.
    const session = { horizon: post - 1, changeId, past: 0, served: decisive ? [post] : [], overflow: false }
    const { after } = sealHome(createCursorSeal(TEST_SECRET), reader, 0, session)
    return { reader, post, after }
  },
}
