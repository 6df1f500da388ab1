/**
 * Replays a failed history: `npx tsx test/feed/replay.ts WORLD SEED [PATH]`, WORLD as in `variants.ts`, or `shared`
 * for the small one with several processes.
 */

import { loadVariant, WORLDS } from './variants.ts'

const [world, seed, path] = process.argv.slice(2)
const isShared = world === 'shared'
const { runHistories } = await loadVariant(WORLDS[isShared ? 'small' : world])
const result = await runHistories({
  runs: 10_000,
  seed: Number(seed),
  shared: isShared,
  ...(path === undefined ? {} : { path }),
})
console.log(result.failed ? result.message : `no failure in ${result.runs} runs`)
process.exit(result.failed ? 1 : 0)
