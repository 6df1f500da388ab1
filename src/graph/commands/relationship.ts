/** How two accounts stand to each other, and the events that change it. */

import { includesSorted } from '../../core/sorted.ts'
import type { EngineContext } from '../../engine/context.ts'
import type { EventType, Idempotency } from '../../engine/events.ts'
import { follows, type Circles } from '../circle.ts'

/** How `viewer` stands to another account. Whether the other one blocks the viewer is not told. */
export interface Relationship {
  readonly following: boolean
  readonly followedBy: boolean
  readonly blocking: boolean
  readonly muting: boolean
}

export async function relationshipOf(circles: Circles, viewer: number, other: number): Promise<Relationship> {
  const [mine, theirs] = await Promise.all([circles.of(viewer), circles.of(other)])
  return {
    following: follows(mine, other),
    followedBy: follows(theirs, viewer),
    blocking: includesSorted(mine.blocking, other),
    muting: includesSorted(mine.muted, other),
  }
}

/** An event that puts a pair of accounts into a state. */
export interface EdgeChange<B> {
  readonly type: EventType<B>
  readonly key: number
  readonly body: B
}

/**
 * Appends a change. One that would change nothing (`isNeeded` is false) is appended only if its idempotency key must
 * be remembered, or if other processes write, too: then what this one knows may be a little old.
 */
export async function produceEdge<B>(
  context: EngineContext,
  isNeeded: boolean,
  { type, key, body }: EdgeChange<B>,
  once: Idempotency | undefined,
): Promise<void> {
  if (isNeeded || once !== undefined || context.isShared) await context.produce(type, key, body, once)
}
