/**
 * Keys of timelines. An owner's timeline belongs to one of 256 groups, and all keys of a group share a hash slot of
 * the cluster, so that one script can change many timelines of a group.
 */

export const GROUPS = 256

export const groupOf = (owner: number): number => owner % GROUPS

export interface Keys {
  readonly groups: readonly string[]
  timeline(owner: number): string
}

/** @param prefix begins every key of the deployment */
export function createKeys(prefix: string): Keys {
  const groups = Array.from({ length: GROUPS }, (_, group) => `${prefix}v:{${group}}`)
  return { groups, timeline: (owner) => `${groups[groupOf(owner)]}:${owner}` }
}
