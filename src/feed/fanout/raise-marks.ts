/** Raises the marks of posts that are not pushed to every follower, before the first follower is skipped. */

import type { FeedContext } from '../context.ts'
import { graphEvents, SHARES, type Graph, type MarkRaise } from '../../graph/index.ts'
import type { Outgoing } from './audience.ts'

/**
 * @returns a function that resolves once the marks are durable, and other processes are told of them: from then on,
 * readers know whom to pull
 */
export function createMarkRaiser(context: FeedContext, { marks }: Graph) {
  /**
   * Each mark is told in the partition of its post, before the horizon of that partition passes the post: whoever reads
   * the horizon there has read the mark already.
   */
  async function tellOthers(raises: readonly MarkRaise[]): Promise<void> {
    const byPartition = new Map<number, MarkRaise[]>()
    for (const raise of raises) {
      const partition = context.partitionOf(raise.author)
      const list = byPartition.get(partition)
      if (list === undefined) byPartition.set(partition, [raise])
      else list.push(raise)
    }
    const told = [...byPartition.values()].map((some) =>
      context.tell(graphEvents.marksRaised, some[0].author, { raises: some }),
    )
    await Promise.all(told)
  }

  return async (posts: readonly Outgoing[]): Promise<void> => {
    const raises = posts.flatMap(({ event, share: pushed }) => {
      // When this event was handled before, the policy may have been to pull the post, and a timeline may have been
      // rebuilt without it since: it must stay pulled, whatever the policy says now.
      const share = context.mayHaveBeenOtherwise(event) ? 0 : pushed
      const { id: postId, version, body } = event
      return share < SHARES ? [{ author: body.author, share, postId, version }] : []
    })
    await marks.raise(raises)
    if (context.isShared) await tellOthers(raises)
  }
}
