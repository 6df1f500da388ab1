/** Replays a failed history: `npx tsx test/feed/replay.ts WORLD SEED [PATH]`, WORLD as in `variants.ts`. */

import { loadVariant, WORLDS } from './variants.ts'

const [world, seed, path] = process.argv.slice(2)
const { runHistories } = await loadVariant(WORLDS[world])
const result = await runHistories({
  runs: 10_000,
  seed: Number(seed),
  ...(path === undefined ? {} : { path }),
})
console.log(result.failed ? result.message : `no failure in ${result.runs} runs`)
process.exit(result.failed ? 1 : 0)
