/** Whatever crashes, every member of a channel gets every message or finds its mark; and faults in that are noticed. */

import { expect, test } from 'vitest'
import { loadChanged, type Change, type PlantedFault } from '../../support/changed.ts'

type History = typeof import('./channel-history.ts')

/** Turns of a few chunks, saved often, so that a handful of members exercises what millions would. */
const SMALL: readonly Change[] = [
  { file: 'engine/fanout/turns.ts', find: 'CHUNKS_A_TURN = 16', replace: 'CHUNKS_A_TURN = 3' },
  { file: 'engine/fanout/runner.ts', find: 'SAVE_EVERY_CHUNKS = 64', replace: 'SAVE_EVERY_CHUNKS = 2' },
  { file: 'core/limits.ts', find: 'openPlansMax: 10_000', replace: 'openPlansMax: 4' },
]
const load = (changes: readonly Change[] = []) =>
  loadChanged<History>('test/engine/fanout/channel-history.ts', [...SMALL, ...changes])

for (const [name, isShared, seeds] of [
  ['one process that crashes', false, 5],
  ['processes that die, and whose partitions change owners', true, 1],
] as const) {
  test(`${name}: every member gets every message or finds its mark`, { timeout: 120_000 }, async () => {
    const happened = await (await load()).runChannelHistories(isShared, seeds)
    for (const what of ['tornWrite', 'unknownWrite', 'large', 'marked'])
      expect(happened[what] ?? 0, what).toBeGreaterThan(0)
  })
}

interface FanoutFault extends PlantedFault {
  readonly isShared: boolean
}

const fault = (name: string, file: string, find: string, replace: string, isShared = false): FanoutFault => ({
  name,
  changes: [{ file: `engine/fanout/${file}`, find, replace }],
  isShared,
})

const PLANTED_FAULTS: readonly FanoutFault[] = [
  fault(
    'a chunk counts as done before it is served',
    'serve-chunks.ts',
    '    if (skipped.length > 0)',
    '    setDone(of, lane, chunk)\n    if (skipped.length > 0)',
  ),
  fault('a plan that was left open is forgotten', 'runner.ts', '    else await add(plan)\n', ''),
  fault(
    'of a plan that a crash cut off, the row that lists it as open is never written',
    'plans.ts',
    'return hasOpenRow ? [] : [open]',
    'return []',
  ),
  fault(
    'the last lane leaves those to a first lane that has not run over them',
    'lanes.ts',
    'resumed ? within : within.filter((_, i) => lanes[i] >= last)',
    'within.filter((_, i) => lanes[i] > last)',
  ),
  fault('a mark is not raised', 'raise-marks.ts', 'share < SHARES ?', 'share < 0 ?'),
  fault('a closed plan holds the horizon', 'runner.ts', '    hold.closed(plan.id, plan.key)\n', ''),
  fault(
    'marks are not told to other processes',
    'raise-marks.ts',
    'if (context.isShared) await tellOthers(raises)',
    '',
    true,
  ),
]

test.for(PLANTED_FAULTS)('planted fault is caught: $name', { timeout: 120_000 }, async (planted) => {
  const { runChannelHistories } = await load(planted.changes)
  // A history that hangs, because work is never done, is caught as well as one that disagrees.
  await expect(runChannelHistories(planted.isShared, planted.isShared ? 3 : 10)).rejects.toThrow()
})
