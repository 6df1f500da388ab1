/** `npm run drill -- NAME… | --all`: faults on real engines under load, and whether every promise held. */

import { Argument, Command } from 'commander'
import { createClusterHolder, type ClusterHolder } from './cluster.ts'
import type { Drill } from './drill.ts'
import { cassandraDrills } from './faults/cassandra.ts'
import { kafkaDrills } from './faults/kafka.ts'
import { redisDrills } from './faults/redis.ts'
import { serverDrills } from './faults/server.ts'
import { describeMachine, reportLines } from './report.ts'
import { runDrill } from './run.ts'

const DRILLS: readonly Drill[] = [...serverDrills, ...redisDrills, ...kafkaDrills, ...cassandraDrills]
const NAME_WIDTH = Math.max(...DRILLS.map(({ name }) => name.length)) + 2

const HELP = `
Drills:
${DRILLS.map(({ name, describe }) => `  ${name.padEnd(NAME_WIDTH)}${describe}`).join('\n')}

Each starts engines of its own in a scratch folder and one server with all roles on them, and ends with what
was found: 0 violations are expected. What needs two servers, such as a frozen one whose work another takes
over, cannot be drilled yet. The clocks need Debian's package faketime.`

interface Flags {
  readonly all?: true
  readonly keep?: true
  readonly seconds: string
}

const say = (line: string): void => console.log(`  ${line}`)
let holder: ClusterHolder | undefined

async function drill(names: readonly string[], { all, keep, seconds }: Flags): Promise<void> {
  const chosen = all === true ? DRILLS : DRILLS.filter(({ name }) => names.includes(name))
  if (chosen.length === 0) throw new Error('name a drill, or give --all; --help lists them')
  if (!(Number(seconds) > 0)) throw new Error(`--seconds takes a number above 0, not ${seconds}`)
  console.log(`${describeMachine()}; ${new Date().toISOString().slice(0, 10)}`)
  for (const each of chosen) {
    holder = createClusterHolder(each.name, keep === true, say)
    console.log(`\n${each.name}: ${each.describe}`)
    try {
      const outcome = await runDrill(each, { seconds: Number(seconds), holder, say })
      console.log(reportLines(outcome).join('\n'))
      if (outcome.violations.length > 0) process.exitCode = 1
    } catch (error) {
      console.log(`  FAILED: ${error instanceof Error ? error.message : String(error)}`)
      process.exitCode = 1
    } finally {
      await holder.close()
      if (keep === true) say(`kept: ${holder.folder}`)
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Promise.resolve(holder?.close()).finally(() => process.exit(130)))
}

const program = new Command('drill')
  .description('Faults on real engines under load, and whether every promise held.')
  .addArgument(new Argument('[names...]', 'which ones').choices(DRILLS.map(({ name }) => name)))
  .option('--all', 'every drill, one after the other')
  .option('--seconds <number>', 'of load beside the fault: half before it, half after the recovery', '12')
  .option('--keep', 'leave the folder with the logs of the engines and the server')
  .addHelpText('after', HELP)
  .action(drill)

await program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
