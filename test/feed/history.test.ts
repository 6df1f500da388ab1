/**
 * Random histories: whatever happens in one, the feed equals the oracle. Planted faults show that the comparison can
 * fail. By default the seed is fixed; RIVULET_HISTORY_RUNS=5000 RIVULET_HISTORY_SEED=random looks further. A failure
 * prints the command that replays it.
 */

import { expect, test } from 'vitest'
import { PLANTED_FAULTS, PLANTED_SHARED_FAULTS } from './planted-faults.ts'
import { loadVariant, SMALL_WORLD, WORLDS } from './variants.ts'

const RUNS = Number(process.env.RIVULET_HISTORY_RUNS ?? 60)
const SEED = process.env.RIVULET_HISTORY_SEED ?? '20261121'

/** A history on four processes takes so many times longer. */
const SHARED_RUNS_FEWER = 12

const replay = (seed: number, path: string | null, world: string) =>
  `replay with: npx tsx test/feed/replay.ts ${world} ${seed} ${path ?? ''}`

for (const [world, changes] of Object.entries(WORLDS)) {
  test(`random histories equal the oracle, in a ${world} world`, { timeout: 3_600_000 }, async () => {
    const { runHistories } = await loadVariant(changes)
    const result = await runHistories({ runs: RUNS, ...(SEED === 'random' ? {} : { seed: Number(SEED) }) })
    expect(result.failed, `${result.message}\n${replay(result.seed, result.path, world)}`).toBe(false)
    // A run that met no fault proves little: each of these must really have happened.
    for (const what of ['crash', 'duplicateBatch', 'unknownWrite', 'check', 'afterExact', 'afterGap']) {
      expect(result.happened[what] ?? 0, what).toBeGreaterThan(0)
    }
  })
}

test(
  'random histories equal the oracle, where several processes share the work',
  { timeout: 3_600_000 },
  async () => {
    const { runHistories } = await loadVariant(SMALL_WORLD)
    const runs = Math.ceil(RUNS / SHARED_RUNS_FEWER)
    const result = await runHistories({
      runs,
      shared: true,
      ...(SEED === 'random' ? {} : { seed: Number(SEED) }),
    })
    expect(result.failed, `${result.message}\n${replay(result.seed, result.path, 'shared')}`).toBe(false)
    for (const what of ['crash', 'duplicateBatch', 'unknownWrite', 'check']) {
      expect(result.happened[what] ?? 0, what).toBeGreaterThan(0)
    }
  },
)

test('there are at least twelve planted faults', () => {
  expect(PLANTED_FAULTS.length).toBeGreaterThanOrEqual(12)
})

test.for(PLANTED_FAULTS)('planted fault is caught: $name', { timeout: 600_000 }, async (fault) => {
  const { runHistories } = await loadVariant([...SMALL_WORLD, ...fault.changes])
  const result = await runHistories({ runs: fault.runsMax, seed: fault.seed, quick: true })
  expect(result.failed, `not caught within ${fault.runsMax} runs`).toBe(true)
  // A history that hangs tells of another fault.
  expect(result.message).not.toContain('the engine hangs')
})

test.for(PLANTED_SHARED_FAULTS)(
  'planted fault of sharing is caught: $name',
  { timeout: 600_000 },
  async (fault) => {
    const { runHistories } = await loadVariant([...SMALL_WORLD, ...fault.changes])
    const { runsMax: runs, seed } = fault
    const result = await runHistories({ runs, seed, quick: true, shared: true })
    expect(result.failed, `not caught within ${runs} runs`).toBe(true)
    // A history that hangs tells of another fault.
    expect(result.message).not.toContain('the engine hangs')
  },
)
