/**
 * Keys of timelines. An owner's timeline belongs to one of 256 groups, and all keys of a group share a hash slot of
 * the cluster, so that one script can change many timelines of a group. A view's name is part of its keys, except for
 * the one named `home`, whose timelines had these keys before views had names.
 */

import { RivuletError } from '../../../core/errors.ts'

export const GROUPS = 256

export const groupOf = (owner: number): number => owner % GROUPS

export interface Keys {
  readonly groups: readonly string[]
  timeline(owner: number): string
}

/** The view whose keys do not contain its name. */
export const HOME = 'home'
/** No colon and no brace, so that no key of one view is a key of another one, or in another slot than its group. */
const NAME = /^[a-z][a-z0-9-]{0,31}$/

/** @param prefix begins every key of the deployment */
export function createKeys(prefix: string, view: string): Keys {
  if (!NAME.test(view)) {
    const rule = 'lower-case letters, digits and hyphens, at most 32, a letter first'
    throw new RivuletError('config_invalid', `the name of a view consists of ${rule}`)
  }
  const named = view === HOME ? `${prefix}v:` : `${prefix}v:${view}:`
  const groups = Array.from({ length: GROUPS }, (_, group) => `${named}{${group}}`)
  return { groups, timeline: (owner) => `${groups[groupOf(owner)]}:${owner}` }
}
