/** Records of progress are understood across versions: fields that came later stand at their end. */

import { expect, test } from 'vitest'
import { decode, encode, list, struct, u32, u53 } from '../../../src/core/codec.ts'
import { progressed } from '../../../src/engine/processes/progress.ts'

const lane = struct({ partition: u32, projected: u53, horizon: u53, needs: u53, skipped: list(u53) })
/** As version 0.1.0 knew it. */
const before = struct({ lanes: list(lane), now: u53 })

const told = { partition: 3, projected: 10, horizon: 20, needs: 5, skipped: [7] }

test('a record of 0.1.0 says nothing of later fields, and 0.1.0 passes over them', () => {
  const old = encode(before, { lanes: [told], now: 9 })
  expect(decode(progressed.body, old)).toEqual({ lanes: [told], now: 9, horizons: [], decisions: [] })
  const horizons = [{ view: 'inbox', partition: 3, horizon: 8 }]
  const decision = {
    position: 7,
    outcome: 0,
    of: 0,
    isSame: false,
    reason: undefined,
    value: Uint8Array.of(1),
  }
  const now = encode(progressed.body, { lanes: [told], now: 9, horizons, decisions: [decision] })
  expect(decode(before, now)).toEqual({ lanes: [told], now: 9 })
  expect(decode(progressed.body, now)).toEqual({ lanes: [told], now: 9, horizons, decisions: [decision] })
})
