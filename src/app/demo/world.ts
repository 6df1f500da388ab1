/** Draws the demo world from a fixed seed: follows by a power law, posts of the past days, replies and reposts. */

import { createRandom } from '../../ports/env/random.ts'
import { GUEST, makePeople, STAR, type Person } from './people.ts'
import { sayPost, sayReply, sayStarPost } from './sentences.ts'

export interface DemoPost {
  /** The same in every run, so that a repeated load finds the post again. */
  readonly ref: string
  readonly author: string
  readonly content: string
  /** How long before the load of the world the post was written. */
  readonly ageMs: number
}

/** An action that goes through the engine, after the import. */
export type DemoAction =
  | { readonly by: string; readonly kind: 'post'; readonly content: string }
  | { readonly by: string; readonly kind: 'reply'; readonly to: string; readonly content: string }
  | { readonly by: string; readonly kind: 'repost'; readonly of: string }

export interface DemoWorld {
  readonly people: readonly Person[]
  /** Follower and followee. */
  readonly follows: readonly (readonly [string, string])[]
  readonly posts: readonly DemoPost[]
  readonly actions: readonly DemoAction[]
}

const SEED = 20_240_501
const PEOPLE = 300
const POSTS = 1_500
const REPLIES = 140
const REPOSTS = 60
const DAYS_MS = 5 * 86_400_000
const STAR_SHARE = 0.85
const STAR_POSTS = 30
/** Below the star's followers, far above everybody else's. */
export const DEMO_PUSH_THRESHOLD = 200

export function makeWorld(): DemoWorld {
  const random = createRandom(SEED)
  const people = makePeople(PEOPLE)
  const handles = people.map(({ handle }) => handle)
  const popular = powerLaw(random, handles.slice(1))
  const followsOf = new Map(handles.map((handle) => [handle, followees(random, handle, popular)]))
  const follows = [...followsOf].flatMap(([follower, all]) =>
    [...all].map((followee) => [follower, followee] as const),
  )
  return {
    people,
    follows,
    posts: makePosts(random, popular),
    actions: makeActions(random, handles, followsOf),
  }
}

/** @returns draws values: the first ones often, the last ones seldom */
function powerLaw(random: () => number, values: readonly string[]): () => string {
  const ends: number[] = []
  values.forEach((_, i) => ends.push((ends[i - 1] ?? 0) + (i + 3) ** -0.85))
  const whole = ends[ends.length - 1]
  return () => {
    const wanted = random() * whole
    return values[ends.findIndex((end) => end > wanted)] ?? values[0]
  }
}

function followees(random: () => number, follower: string, popular: () => string): Set<string> {
  const chosen = new Set<string>()
  const wanted = 4 + Math.floor(20 * random() ** 2) + (follower === GUEST.handle ? 20 : 0)
  while (chosen.size < wanted) {
    const followee = popular()
    if (followee !== follower) chosen.add(followee)
  }
  const isFan = follower !== STAR.handle && follower !== GUEST.handle && random() < STAR_SHARE
  if (isFan) chosen.add(STAR.handle)
  return chosen
}

function makePosts(random: () => number, popular: () => string): DemoPost[] {
  const posts: DemoPost[] = []
  for (let i = 0; i < POSTS; i++) {
    const isStar = i < STAR_POSTS
    posts.push({
      ref: `demo-${i}`,
      author: isStar ? STAR.handle : popular(),
      content: isStar ? sayStarPost(random) : sayPost(random),
      ageMs: Math.floor(60_000 + random() ** 1.5 * DAYS_MS),
    })
  }
  return posts
}

function makeActions(
  random: () => number,
  handles: readonly string[],
  followsOf: ReadonlyMap<string, ReadonlySet<string>>,
): DemoAction[] {
  const someone = () => handles[1 + Math.floor(random() * (handles.length - 1))]
  const followeeOf = (by: string) => {
    const all = [...(followsOf.get(by) ?? [])]
    return all[Math.floor(random() * all.length)]
  }
  const actions: DemoAction[] = []
  for (let i = 0; i < REPLIES; i++) {
    const by = someone()
    actions.push({ by, kind: 'reply', to: followeeOf(by), content: sayReply(random) })
  }
  for (let i = 0; i < REPOSTS; i++) {
    const by = someone()
    actions.push({ by, kind: 'repost', of: followeeOf(by) })
  }
  // Posted through the engine, which sees the star above the threshold and marks these posts as pulled.
  for (let i = 0; i < 2; i++) actions.push({ by: STAR.handle, kind: 'post', content: sayStarPost(random) })
  return actions
}
