/**
 * How far this process has brought each lane. `wanted` is what its callers asked for; `told` is what every group has. A
 * group whose horizon is lower than what it was told has lost something.
 */

import { ID_MAX } from '../../../core/ids.ts'
import { assert } from '../../../core/errors.ts'
import { horizonOf } from './layout.ts'
import type { LaneHorizons } from '../views.ts'

export interface Lanes {
  /** The lanes of `asked` that this process has not advanced so far itself: another process may have. */
  foreign(asked: LaneHorizons): LaneHorizons
  /** Takes these lanes over at their ids, which count as told. `heads` are the groups' values. */
  take(foreign: LaneHorizons, heads: readonly Buffer[]): void
  want(asked: LaneHorizons): void
  isTold(asked: LaneHorizons): boolean
  /** What every group has to be told now. */
  round(): Round
  /** The horizons of a new generation, in the form for RESET. */
  wanted(): Buffer
  /** All horizons, in the form for ADVANCE: for a group that missed rounds. */
  all(): Buffer
}

export interface Round {
  /** In the form for ADVANCE. */
  readonly bytes: Buffer
  /** Called once every group has it. */
  end(): void
}

const ADVANCE_BYTES = 4 + 8 + 8

export function createLanes(count: number): Lanes {
  assert(count >= 1 && Number.isInteger(count), 'there is at least one lane')
  const wanted = new Float64Array(count)
  const told = new Float64Array(count)
  const nothing = new Float64Array(count)

  function raise(horizons: Float64Array, lane: number, id: number): void {
    assert(lane < count, 'the number of a lane is below the count of lanes')
    horizons[lane] = Math.max(horizons[lane], id)
  }

  return {
    foreign: (asked) => new Map([...asked].filter(([lane, id]) => wanted[lane] === 0 || wanted[lane] < id)),
    take(foreign, heads) {
      for (const [lane, id] of foreign) {
        // `ID_MAX` gives up all groups: their next generations begin at the highest horizon that one had.
        const to = id === ID_MAX ? Math.max(0, ...heads.map((head) => horizonOf(head, lane))) : id
        raise(wanted, lane, to)
        raise(told, lane, to)
      }
    },
    want(asked) {
      for (const [lane, id] of asked) raise(wanted, lane, id)
    },
    isTold(asked) {
      for (const [lane, id] of asked) if (told[lane] < id) return false
      return true
    },
    round() {
      const to = wanted.slice()
      const end = () => to.forEach((id, lane) => raise(told, lane, id))
      return { bytes: encodeRises(told, to), end }
    },
    wanted() {
      const bytes = Buffer.allocUnsafe(8 * count)
      wanted.forEach((id, lane) => bytes.writeDoubleLE(id, 8 * lane))
      return bytes
    },
    all: () => encodeRises(nothing, wanted),
  }
}

function encodeRises(from: Float64Array, to: Float64Array): Buffer {
  const bytes = Buffer.allocUnsafe(ADVANCE_BYTES * to.length)
  let at = 0
  for (let lane = 0; lane < to.length; lane++) {
    if (to[lane] <= from[lane]) continue
    at = bytes.writeUInt32LE(lane, at)
    at = bytes.writeDoubleLE(from[lane], at)
    at = bytes.writeDoubleLE(to[lane], at)
  }
  return bytes.subarray(0, at)
}
