/** Random histories on real engines equal the oracle, as in memory; fewer, since each step takes its time. */

import { expect, inject, test } from 'vitest'
import type { EngineAddresses } from '../support/engine-place.ts'
import { loadVariant, WORLDS } from './variants.ts'

const RUNS = Number(process.env.RIVULET_HISTORY_RUNS ?? 6)
const SEED = Number(process.env.RIVULET_HISTORY_SEED ?? 20_261_121)

for (const world of ['small', 'direct']) {
  test(
    `random histories on engines equal the oracle, in a ${world} world`,
    { timeout: 900_000 },
    async () => {
      const { runHistories } = await loadVariant(WORLDS[world])
      const engines = inject('engines') as unknown as EngineAddresses
      const result = await runHistories({ runs: RUNS, seed: SEED, engines, quick: true })
      expect(result.failed, result.message).toBe(false)
      for (const what of ['crash', 'duplicateBatch', 'check', 'afterExact']) {
        expect(result.happened[what] ?? 0, what).toBeGreaterThan(0)
      }
    },
  )
}
