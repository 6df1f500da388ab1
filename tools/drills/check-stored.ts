/**
 * Checks profiles against the history: they hold every acknowledged post once, no refused or deleted one, and none that
 * nobody wrote.
 */

import {
  answeredBy,
  mustBeGone,
  mustBeThere,
  type History,
  type PostOperation,
  type SeenPost,
} from './history.ts'
import type { Client } from './client.ts'
import type { World } from './load.ts'
import { seenPosts } from './operations.ts'

/** For each author, the posts of the profile, latest first. */
export type Profiles = readonly (readonly SeenPost[])[]

const PAGE_LIMIT = 100
const LOOKUP_MAX = 100

export async function readProfiles({ people }: World, client: Client): Promise<Profiles> {
  const profiles: SeenPost[][] = []
  for (const { name } of people) {
    const found: SeenPost[] = []
    for (let cursor = ''; ;) {
      const answer = await client.call('GET', `/accounts/ext:${name}/posts?limit=${PAGE_LIMIT}${cursor}`)
      if (answer.outcome !== 'ok') throw new Error(`the profile of ${name}: ${answer.status} ${answer.code}`)
      found.push(...seenPosts(answer.json.posts))
      if (answer.json.has_more !== true) break
      cursor = `&cursor=${answer.json.next_cursor}`
    }
    profiles.push(found)
  }
  return profiles
}

export function checkProfiles(history: History, profiles: Profiles, report: (line: string) => void): void {
  const nowMs = performance.now()
  const found = new Map<string, SeenPost[]>()
  for (const seen of profiles.flat()) {
    found.set(seen.ref, [...(found.get(seen.ref) ?? []), seen])
    if (history.byRef(seen.ref) === undefined) report(`post ${seen.id} is there, although nobody wrote it`)
  }
  for (const post of history.posts) checkPost(post, found.get(post.ref) ?? [], nowMs, report)
}

function checkPost(
  post: PostOperation,
  found: readonly SeenPost[],
  nowMs: number,
  report: (line: string) => void,
): void {
  const name = `post ${post.id ?? post.ref}`
  if (found.length > 1) report(`${name} is there ${found.length} times`)
  if (found.some(({ author }) => author !== post.author)) report(`${name} is in somebody else's profile`)
  if (mustBeThere(post, nowMs) && !found.some(({ id }) => id === post.id))
    report(`${name} was acknowledged, but is not in its author's profile`)
  if (mustBeGone(post, answeredBy(nowMs)) && found.length > 0)
    report(`${name} was ${post.outcome === 'fail' ? `refused (${post.code})` : 'deleted'} and is there`)
}

/** Checks that every acknowledged post is found by its id, which takes another way to the same rows. */
export async function checkLookups(
  { history }: World,
  client: Client,
  report: (line: string) => void,
): Promise<void> {
  const nowMs = performance.now()
  const ids = history.posts.filter((post) => mustBeThere(post, nowMs)).map(({ id }) => String(id))
  for (let at = 0; at < ids.length; at += LOOKUP_MAX) {
    const body = { ids: ids.slice(at, at + LOOKUP_MAX) }
    const { outcome, status, json } = await client.call('POST', '/posts/lookup', { body })
    if (outcome !== 'ok') throw new Error(`the lookup of posts was answered with ${status}`)
    for (const id of json.missing ?? []) report(`post ${id} was acknowledged, but is not found by its id`)
  }
}
