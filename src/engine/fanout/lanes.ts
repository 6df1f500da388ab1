/**
 * Lanes: who of an audience is served, and in which order. A large fan-out runs its lanes one after the other over all
 * chunks, so that, for example, members who are online are served before the others. A domain brings lanes of its own
 * as loops over a chunk of members, or uses `everybody` or `lanesBy`.
 *
 * Every lane but the last serves its own members. The last lane makes sure of everybody: it leaves out only members that
 * an earlier lane of this very process has certainly served. Serving a member twice must change nothing.
 */

import type { Event } from '../events.ts'
import type { AudiencePart, MemberRange } from './audience.ts'
import { edgeBucket, SHARES } from './policy.ts'
import type { Plan } from './tables.ts'

/** An event to be fanned out. */
export interface Outgoing<B = unknown> {
  /** Its log key is the audience's key. */
  readonly event: Event<B>
  readonly parts: readonly AudiencePart[]
  /** To how many eighths of the audience it is pushed. */
  readonly share: number
}

/** What an ordinary fan-out has done. Receipts tell it. */
export interface Counts {
  served: number
  skipped: number
  /** Served members, by lane. */
  readonly lanes: number[]
  /** 0 until then. */
  doneAtMs: number
}

export const newCounts = (lanes: readonly string[]): Counts => ({
  served: 0,
  skipped: 0,
  lanes: lanes.map(() => 0),
  doneAtMs: 0,
})

export interface Lanes<B, F> {
  /** In the order in which they run. Receipts count by this order: add a lane only to a fan-out that is new. */
  readonly names: readonly string[]
  /** What the lanes of a plan decide by, as it is when the plan is made. */
  freeze(): F
  /**
   * For an audience that needs no plan, and so no order.
   * @param skipped members that are not served are added to it; those beyond the event's share are left out of both
   * @returns a function that picks the members to serve from a piece of the audience, and counts them
   */
  pick(of: Outgoing<B>, counts: Counts, skipped: number[]): (members: Uint32Array) => Uint32Array
  /** @param resumed an earlier process began the plan, and may have served members in other lanes than this one would */
  begin(plan: Plan<F>, resumed: boolean): Promise<LaneSelection>
}

/** The lanes of a plan under way. */
export interface LaneSelection {
  /** Whether a chunk may hold members whom this lane serves. A lane passes the others without reading them. */
  mayHold(lane: number, chunk: MemberRange): boolean
  select(lane: number, members: Uint32Array): Selected
}

export interface Selected {
  /** To serve. */
  readonly owners: Uint32Array
  /** To skip; only the last lane gives any. */
  readonly skipped: readonly number[]
  /** How many members of this lane are served after it; after the last lane, how many of all lanes. */
  readonly reached: number
}

const NOBODY: readonly number[] = []

/** One lane, which serves all members below the event's share. */
export const everybody = <B>(name = 'all'): Lanes<B, undefined> =>
  lanesBy({ names: [name], freeze: () => undefined, laneOf: (members) => new Uint8Array(members.length) })

/** In place of a lane: the member may have been in another one earlier in this plan. The last lane serves it. */
export const MOVED = 255

export interface LanesBy<F> {
  readonly names: readonly string[]
  freeze(): F
  /**
   * The lane of each member, as an index into `names`, or `MOVED`. A member must not change from one lane to another
   * while a plan runs: `frozen` tells which changes are newer than the plan.
   */
  laneOf(members: Uint32Array, frozen: F): Uint8Array
}

/** Lanes that follow from what a domain knows of each member, and skip nobody. */
export function lanesBy<B, F>({ names, freeze, laneOf }: LanesBy<F>): Lanes<B, F> {
  const last = names.length - 1
  return {
    names,
    freeze,
    pick: ({ event, share }, counts) => {
      const frozen = freeze()
      return (members) => {
        const owners = withinShare(members, event.key, share)
        for (const lane of laneOf(owners, frozen)) counts.lanes[Math.min(lane, last)]++
        counts.served += owners.length
        return owners
      }
    },
    begin: async ({ key, share, frozen }, resumed) => ({
      mayHold: () => true,
      select(lane, members) {
        const within = withinShare(members, key, share)
        const lanes = laneOf(within, frozen)
        if (lane < last) {
          const owners = within.filter((_, i) => lanes[i] === lane)
          return { owners, skipped: NOBODY, reached: owners.length }
        }
        const owners = resumed ? within : within.filter((_, i) => lanes[i] >= last)
        return { owners, skipped: NOBODY, reached: within.length }
      },
    }),
  }
}

function withinShare(members: Uint32Array, key: number, share: number): Uint32Array {
  return share < SHARES ? members.filter((member) => edgeBucket(member, key) < share) : members
}
