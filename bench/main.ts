/**
 * Runs benches: `npm run bench` runs all of them, `npm run bench -- NAME…` some. With `--quick` they use smaller data; with
 * `--json` each bench ends with one line of JSON.
 */

import { type Bench, createReport, describeMachine } from './harness.ts'
import { accept } from './accept.ts'
import { batch } from './batch.ts'
import { coldStart } from './cold-start.ts'
import { enginesPath } from './engines-path.ts'
import { fanout } from './fanout.ts'
import { feedRead } from './feed-read.ts'
import { followersRead } from './followers-read.ts'
import { growth } from './growth.ts'
import { importEdges } from './import.ts'
import { reactors } from './reactors.ts'
import { redisTimeline } from './redis-timeline.ts'
import { timelineInsert } from './timeline-insert.ts'
import { timelineMemory } from './timeline-memory.ts'
import { timers } from './timers.ts'
import { visible } from './visible.ts'

const BENCHES: readonly Bench[] = [
  timelineInsert,
  timelineMemory,
  fanout,
  feedRead,
  accept,
  batch,
  importEdges,
  followersRead,
  visible,
  growth,
  timers,
  reactors,
  coldStart,
  redisTimeline,
  enginesPath,
]
const FLAGS = ['--quick', '--json']

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith('--'))
  const unknown = args.filter((arg) =>
    arg.startsWith('--') ? !FLAGS.includes(arg) : !BENCHES.some(({ name }) => name === arg),
  )
  if (unknown.length > 0) return explain(unknown)
  const report = createReport()
  report.line(describeMachine())
  for (const bench of BENCHES) {
    if (names.length > 0 && !names.includes(bench.name)) continue
    report.line(`\n${bench.name}: ${bench.describe}`)
    const result = await bench.run({ quick: args.includes('--quick'), report })
    if (args.includes('--json')) report.line(JSON.stringify({ name: bench.name, ...result }))
  }
  return 0
}

function explain(unknown: readonly string[]): number {
  const list = BENCHES.map(({ name, describe }) => `  ${name}  ${describe}`).join('\n')
  process.stderr.write(`unknown: ${unknown.join(' ')}\nbenches:\n${list}\nflags: ${FLAGS.join(' ')}\n`)
  return 2
}

process.exitCode = await main(process.argv.slice(2))
