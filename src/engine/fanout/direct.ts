/**
 * Fan-out of ordinary audiences: reads the members and serves them with the batch of events that they came in, in log
 * order. After a crash the batch is repeated as a whole, which changes nothing that was done.
 */

import type { Env } from '../../ports/env/env.ts'
import { membersOf, sizeOf } from './audience.ts'
import type { FanoutDefinition, Piece } from './definition.ts'
import { newCounts, type Counts, type Outgoing } from './lanes.ts'
import type { FanoutStats } from './stats.ts'

/** Members served, or skipped, between two pauses for other work. */
const MEMBERS_A_TURN = 1_000
/** About how many members are read and looked at in one go. */
const SLICE_MEMBERS = 20_000

export interface Direct<B> {
  /** @returns what was done for each event */
  serve(outgoing: readonly Outgoing<B>[]): Promise<Counts[]>
}

export function createDirect<B>(
  env: Env,
  definition: FanoutDefinition<B, any>,
  kindOf: (of: Outgoing<B>) => number,
  stats: FanoutStats,
): Direct<B> {
  const { audience, lanes } = definition

  async function serve(outgoing: readonly Outgoing<B>[]): Promise<Counts[]> {
    const counts: Counts[] = []
    for (const slice of slicesOf(outgoing)) counts.push(...(await serveSlice(slice)))
    return counts
  }

  async function serveSlice(slice: readonly Outgoing<B>[]): Promise<Counts[]> {
    const keys = slice.map(({ event }) => event.key)
    const members = await membersOf(
      audience,
      keys,
      slice.map(({ parts }) => parts),
    )
    const pieces: Piece[] = []
    const skipped: number[] = []
    const counts = slice.map((one, i) => {
      const own = newCounts(lanes.names)
      const pick = lanes.pick(one, own, skipped)
      const { id, key: ref } = one.event
      const kind = kindOf(one)
      for (const numbers of members[i]) pieces.push({ id, ref, kind, owners: pick(numbers) })
      return own
    })
    for (let at = 0; at < skipped.length; at += MEMBERS_A_TURN) {
      await definition.skip?.(skipped.slice(at, at + MEMBERS_A_TURN))
      await env.yield()
    }
    await serveInTurns(pieces)
    stats.skipped += skipped.length
    for (const own of counts) own.doneAtMs = env.wallMs()
    return counts
  }

  async function serveInTurns(pieces: readonly Piece[]): Promise<void> {
    let owners = 0
    let from = 0
    for (let i = 0; i < pieces.length; i++) {
      owners += pieces[i].owners.length
      if (owners < MEMBERS_A_TURN && i < pieces.length - 1) continue
      stats.served += await definition.serve(pieces.slice(from, i + 1))
      stats.chunks += i + 1 - from
      from = i + 1
      if (owners >= MEMBERS_A_TURN) await env.yield()
      owners = 0
    }
  }

  return { serve }
}

/** Slices in log order, each of about `SLICE_MEMBERS` members, or of one event that has more. */
function* slicesOf<B>(outgoing: readonly Outgoing<B>[]): Generator<readonly Outgoing<B>[]> {
  let from = 0
  let members = 0
  for (let at = 0; at < outgoing.length; at++) {
    members += sizeOf(outgoing[at].parts)
    if (members < SLICE_MEMBERS && at < outgoing.length - 1) continue
    yield outgoing.slice(from, at + 1)
    from = at + 1
    members = 0
  }
}
