import { loadVariant, SMALL_WORLD } from './variants.ts'
const { runHistories } = await loadVariant(SMALL_WORLD)
const r = await runHistories({ runs: Number(process.argv[2]), seed: Number(process.argv[3] ?? 20040101) })
console.log(r.failed ? 'FAILED '+r.message.slice(0,3000) : 'ok', r.runs, r.seed, r.path, r.happened)
process.exit(0)
