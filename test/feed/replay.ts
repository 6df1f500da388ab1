/** Replays a failed history: `npx tsx test/feed/replay.ts WORLD SEED [PATH]`, WORLD being small or plain. */

import { loadVariant, SMALL_WORLD } from './variants.ts'

const [world, seed, path] = process.argv.slice(2)
const { runHistories } = await loadVariant(world === 'small' ? SMALL_WORLD : [])
const result = await runHistories({
  runs: 10_000,
  seed: Number(seed),
  ...(path === undefined ? {} : { path }),
})
console.log(result.failed ? result.message : `no failure in ${result.runs} runs`)
process.exit(result.failed ? 1 : 0)
