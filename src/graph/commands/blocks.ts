/** Block and mute. */

import { afterAccepted, RivuletError } from '../../core/errors.ts'
import { includesSorted } from '../../core/sorted.ts'
import type { EngineContext } from '../../engine/context.ts'
import type { Idempotency } from '../../engine/events.ts'
import type { Circles } from '../circle.ts'
import { blocked, muted, unblocked, unmuted } from '../events.ts'
import { produceEdge, relationshipOf, type Relationship } from './relationship.ts'

export interface BlockCommands {
  block(by: number, of: number, on: boolean, once?: Idempotency): Promise<Relationship>
  mute(by: number, of: number, on: boolean, once?: Idempotency): Promise<Relationship>
}

export function createBlockCommands(context: EngineContext, circles: Circles): BlockCommands {
  return {
    async block(by, of, on, once) {
      if (by === of) throw new RivuletError('block_self', 'an account cannot block itself')
      const already = includesSorted((await circles.of(by)).blocking, of)
      const change = { type: on ? blocked : unblocked, key: by, body: { by, of } }
      await produceEdge(context, already !== on, change, once)
      // The other account's count of followers drops only once its own events know of the block. The block is
      // effective already, so a wait that fails does not fail the command.
      await context.awaitProjected(of).catch(() => undefined)
      return afterAccepted(relationshipOf(circles, by, of))
    },
    async mute(by, of, on, once) {
      if (by === of) throw new RivuletError('mute_self', 'an account cannot mute itself')
      const already = includesSorted((await circles.of(by)).muted, of)
      const change = { type: on ? muted : unmuted, key: by, body: { by, of } }
      await produceEdge(context, already !== on, change, once)
      return afterAccepted(relationshipOf(circles, by, of))
    },
  }
}
