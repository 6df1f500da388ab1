/**
 * How far this process has brought each lane: wanted, by its callers; told, when every group has it. What a group
 * shows of a lane is never below what it was told, unless it lost something.
 */

import { ID_MAX } from '../../../core/ids.ts'
import { assert } from '../../../core/errors.ts'
import { horizonOf } from './layout.ts'
import type { LaneHorizons } from '../views.ts'

export interface Lanes {
  /** Those of `asked` in which another process was further, or nobody of whom this one knows. */
  foreign(asked: LaneHorizons): LaneHorizons
  /** Takes them over: what of `heads` stands there is told already. */
  take(foreign: LaneHorizons, heads: readonly Buffer[]): void
  want(asked: LaneHorizons): void
  isTold(asked: LaneHorizons): boolean
  /** What groups are to be told now, as ADVANCE takes it. */
  round(): Round
  /** As RESET takes them. */
  wanted(): Buffer
  /** For a group that knows nothing of what was told while it was away, as ADVANCE takes it. */
  all(): Buffer
}

export interface Round {
  readonly bytes: Buffer
  /** Every group has it. */
  end(): void
}

const ADVANCE_BYTES = 4 + 8 + 8

export function createLanes(count: number): Lanes {
  assert(count >= 1 && Number.isInteger(count), 'there is a lane')
  const wanted = new Float64Array(count)
  const told = new Float64Array(count)
  const nothing = new Float64Array(count)

  function raise(horizons: Float64Array, lane: number, id: number): void {
    assert(lane < count, 'a lane is one of those that are')
    horizons[lane] = Math.max(horizons[lane], id)
  }

  return {
    foreign: (asked) => new Map([...asked].filter(([lane, id]) => wanted[lane] === 0 || wanted[lane] < id)),
    take(foreign, heads) {
      for (const [lane, id] of foreign) {
        // Where no group is to stand, the next generations begin where the last ones stood.
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
