/** Raises the marks of events that are not pushed to every member, before the first member is skipped. */

import type { EngineContext } from '../context.ts'
import type { Pull } from './definition.ts'
import type { Hold } from './hold.ts'
import type { Outgoing } from './lanes.ts'
import type { MarkRaise } from './marks.ts'
import { SHARES } from './policy.ts'

/**
 * @returns a function that resolves once the marks are durable, and other processes are told of them: from then on,
 * readers know whom to pull
 */
export function createMarkRaiser(context: EngineContext, { marks, raised }: Pull, hold: Hold) {
  /**
   * Each mark is told in the partition of its event, before the horizon of that partition passes the event: whoever
   * reads the horizon there has read the mark already.
   */
  async function tellOthers(raises: readonly MarkRaise[]): Promise<void> {
    const byPartition = new Map<number, MarkRaise[]>()
    for (const raise of raises) {
      const partition = context.partitionOf(raise.key)
      const list = byPartition.get(partition)
      if (list === undefined) byPartition.set(partition, [raise])
      else list.push(raise)
    }
    const told = [...byPartition.values()].map((some) => context.tell(raised, some[0].key, { raises: some }))
    await Promise.all(told)
  }

  return async (outgoing: readonly Outgoing[]): Promise<void> => {
    const raises = outgoing.flatMap(({ event, share: pushed }) => {
      // When this event was handled before, the policy may have been to pull it, and a timeline may have been rebuilt
      // without it since: it must stay pulled, whatever the policy says now.
      const share = hold.mayHaveBeenOtherwise(event) ? 0 : pushed
      const { id, key, version } = event
      return share < SHARES ? [{ key, share, id, version }] : []
    })
    await marks.raise(raises)
    if (context.isShared) await tellOthers(raises)
  }
}
