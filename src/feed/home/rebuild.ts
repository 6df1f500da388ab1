/** Asks for a reader's timeline to be rebuilt, if a read found it lost or mostly dead. */

import type { Home } from '../home.ts'
import type { Timelines } from '../timelines/timelines.ts'
import type { HomeQuery } from './query.ts'
import { DEAD_RULES } from './rules.ts'

const DEAD_SHARE_MIN = 0.25
const DEAD_SAMPLE_MIN = 40

export type RebuildIfDue = (query: HomeQuery, removed: Uint32Array) => void

/**
 * @returns a function that takes a read and what each rule removed of it. It is called once the page is made, which
 * would otherwise wait for the rebuild. Dead entries (by unfollowed authors, or of deleted posts) cost a read little
 * each: only when there are many is a rebuild worth it.
 */
export function createRebuildIfDue(timelines: Timelines, home: Home): RebuildIfDue {
  const deadRules = DEAD_RULES.map((rule) => home.rules.indexOf(rule))
  const isDead = (entries: number, removed: Uint32Array): boolean => {
    const dead = deadRules.reduce((sum, rule) => sum + removed[rule], 0)
    return dead >= entries * DEAD_SHARE_MIN
  }
  return ({ reader, stats }, removed) => {
    const { entries, isTimelineLost } = stats
    if (isTimelineLost || (entries >= DEAD_SAMPLE_MIN && isDead(entries, removed))) timelines.rebuild(reader)
  }
}
