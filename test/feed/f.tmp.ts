import { PLANTED_FAULTS } from './planted-faults.ts'
import { loadVariant, SMALL_WORLD } from './variants.ts'
for (const f of PLANTED_FAULTS) {
  if (process.argv[2] && !f.name.includes(process.argv[2])) continue
  const t = Date.now()
  try {
    const { runHistories } = await loadVariant([...SMALL_WORLD, ...f.changes])
    const r = await runHistories({ runs: 600, seed: f.seed ?? 20_040_101, quick: true })
    console.log(
      r.failed ? 'caught' : 'NOT CAUGHT',
      r.runs,
      f.name,
      Date.now() - t,
      r.message.slice(0, 90).replaceAll('\n', ' '),
    )
  } catch (e) {
    console.log('ERR', f.name, (e as Error).message.slice(0, 200))
  }
}
process.exit(0)
