/** `npm run drill -- NAME… | --all`: breaks real engines and servers under load, and checks that every promise holds. */

import { Argument, Command } from 'commander'
import { createClusterHolder, type ClusterHolder } from './cluster.ts'
import type { Needs } from './cluster.ts'
import type { Drill } from './drill.ts'
import { apiDrills } from './faults/apis.ts'
import { cassandraDrills } from './faults/cassandra.ts'
import { kafkaDrills } from './faults/kafka.ts'
import { redisDrills } from './faults/redis.ts'
import { serverDrills } from './faults/server.ts'
import { workerDrills } from './faults/workers.ts'
import { describeMachine, reportLines } from './report.ts'
import { runDrills } from './run.ts'

const DRILLS: readonly Drill[] = [
  ...workerDrills,
  ...apiDrills,
  ...serverDrills,
  ...redisDrills,
  ...kafkaDrills,
  ...cassandraDrills,
]
/** The drills of --short: one after the other on one deployment with single engines, in two or three minutes. */
const SHORT: readonly string[] = ['api-killed', 'redis-killed', 'kafka-frozen', 'worker-killed']
const SHORT_SECONDS = 4
const NAME_WIDTH = Math.max(...DRILLS.map(({ name }) => name.length)) + 2

const HELP = `
Drills:
${DRILLS.map(({ name, describe }) => `  ${name.padEnd(NAME_WIDTH)}${describe}`).join('\n')}

Each drill starts its own engines in a scratch folder, and on them two API processes and two workers (or one server
with all roles, where the line says "the only server"). It ends with a report, which should say 0 violations.
--short runs ${SHORT.join(', ')} in this order, on one deployment. The drill
"clocks" needs Debian's package faketime; "redis-primary-cut-off" needs root and iproute2.`

interface Flags {
  readonly all?: true
  readonly short?: true
  readonly keep?: true
  readonly from?: string
  readonly seconds: string
}

/** Drills that run on one deployment, one after the other. */
interface Round {
  readonly name: string
  readonly drills: readonly Drill[]
  readonly needs: Needs
  readonly seconds: number
}

const say = (line: string): void => console.log(`  ${line}`)
let holder: ClusterHolder | undefined

function roundsOf(names: readonly string[], { all, short, seconds }: Flags): Round[] {
  if (!(Number(seconds) > 0)) throw new Error(`--seconds must be a number above 0, not ${seconds}`)
  if (short === true) {
    const drills = SHORT.flatMap((name) => DRILLS.filter((drill) => drill.name === name))
    const needs: Needs = Object.assign({}, ...drills.map(needsOf))
    return [{ name: 'short', drills, needs, seconds: SHORT_SECONDS }]
  }
  const chosen = all === true ? DRILLS : DRILLS.filter(({ name }) => names.includes(name))
  if (chosen.length === 0) throw new Error('name a drill, or give --all or --short; --help lists them')
  return chosen.map((each) => ({
    ...{ name: each.name, drills: [each], needs: needsOf(each), seconds: Number(seconds) },
  }))
}

const needsOf = ({ nodes, isAlone, splitsRedis, crowd }: Drill): Needs => ({
  ...(splitsRedis !== undefined && { splitsRedis }),
  ...(nodes !== undefined && { nodes }),
  ...(isAlone !== undefined && { isAlone }),
  ...(crowd !== undefined && { crowd }),
})

async function drill(names: readonly string[], flags: Flags): Promise<void> {
  const keep = flags.keep === true
  const rounds = roundsOf(names, flags)
  console.log(`${describeMachine()}; ${new Date().toISOString().slice(0, 10)}`)
  for (const { name, drills, needs, seconds } of rounds) {
    holder = createClusterHolder({ name, keep, from: flags.from, say })
    console.log(
      `\n${name}: ${drills.length === 1 ? drills[0].describe : `${drills.length} drills on one deployment`}`,
    )
    try {
      const outcome = await runDrills(drills, needs, { seconds, holder, say })
      console.log(reportLines(outcome).join('\n'))
      if (outcome.violations.length > 0) process.exitCode = 1
    } catch (error) {
      console.log(`  FAILED: ${error instanceof Error ? error.message : String(error)}`)
      process.exitCode = 1
    } finally {
      await holder.close()
      if (keep) say(`kept: ${holder.folder}`)
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void Promise.resolve(holder?.close()).finally(() => process.exit(130)))
}

const program = new Command('drill')
  .description('Breaks real engines and servers under load, and checks that every promise holds.')
  .addArgument(new Argument('[names...]', 'names of drills').choices(DRILLS.map(({ name }) => name)))
  .option('--all', 'every drill, one after the other')
  .option('--short', 'four drills on one deployment with single engines, in two or three minutes')
  .option('--seconds <number>', 'seconds of load: half before the fault, half after the recovery', '12')
  .option(
    '--from <folder>',
    'a built checkout of an older version: each server first starts from there, and from this checkout later',
  )
  .option('--keep', 'keep the folder with the data and logs of engines and servers')
  .addHelpText('after', HELP)
  .action(drill)

await program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
