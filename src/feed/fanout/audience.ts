/** The audience of a post: the followers of its author, in pieces of one row each. */

import type { Event } from '../../engine/events.ts'
import { isDirectory, type AudienceBucket, type FollowerRange, type GraphReads } from '../../graph/index.ts'
import type { posted } from '../events.ts'

export type Posted = Event<Parameters<typeof posted.body.write>[1]>

/** A post to be fanned out. */
export interface Outgoing {
  readonly event: Posted
  readonly audience: readonly AudienceBucket[]
  /** To how many eighths of its author's followers it is pushed. */
  readonly share: number
}

const BUCKET_END = 2 ** 32

export const sizeOf = (audience: readonly AudienceBucket[]): number =>
  audience.reduce((sum, { head }) => sum + head.count, 0)

/** The pieces of a bucket, as key ranges: they stay the same if rows split meanwhile. */
export function rangesOf({ bucket, head }: AudienceBucket): Omit<FollowerRange, 'followee'>[] {
  if (!isDirectory(head)) return [{ bucket, from: 0, to: BUCKET_END }]
  const starts = head.leafStarts
  return Array.from(starts, (from, i) => ({ bucket, from, to: starts[i + 1] ?? BUCKET_END }))
}

/** The followers of each post's author, as a list of pieces. All numbers that heads do not hold are read at once. */
export async function followersOf(reads: GraphReads, posts: readonly Outgoing[]): Promise<Uint32Array[][]> {
  const pieces = posts.map((): Uint32Array[] => [])
  const elsewhere: FollowerRange[] = []
  const owners: Uint32Array[][] = []
  posts.forEach(({ event, audience }, i) => {
    for (const part of audience) {
      if (!isDirectory(part.head)) pieces[i].push(part.head.numbers)
      else
        for (const range of rangesOf(part)) {
          elsewhere.push({ followee: event.body.author, ...range })
          owners.push(pieces[i])
        }
    }
  })
  if (elsewhere.length === 0) return pieces
  const read = await reads.followersIn(elsewhere)
  read.forEach((numbers, i) => owners[i].push(numbers))
  return pieces
}
