/** The parts that all benches share: interleaved runs and medians, tables, and a description of the machine. */

import { cpus, totalmem } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Bench {
  readonly name: string
  /** One line that says what is measured, and the goal. */
  readonly describe: string
  run(context: BenchContext): Promise<BenchResult>
}

export interface BenchContext {
  /** Runs on smaller data, in less than 40 seconds, and says so in its output. */
  readonly quick: boolean
  readonly report: Report
}

export interface Report {
  /** Writes what is going on to stderr. */
  progress(text: string): void
  line(text: string): void
  /** Prints a table, whose first row is the head. */
  table(rows: readonly (readonly string[])[]): void
}

export interface BenchResult {
  readonly ours: number
  /** `null` if the reference is not installed. */
  readonly reference: number | null
  /** How many times better ours is than the reference, whether more or less is better. */
  readonly ratio: number | null
  readonly unit: string
  readonly runs: number
}

export const RUNS = 5

export interface Sample {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function summarize(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted[sorted.length - 1] }
}

export type Contender = () => Promise<number>

/** Runs all contenders in turns, so that a slow moment of the machine affects each of them. */
export async function interleave<K extends string>(
  contenders: Readonly<Record<K, Contender>>,
  runs: number,
  report: Report,
): Promise<Record<K, Sample>> {
  const names = Object.keys(contenders) as K[]
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>
  for (let run = 0; run < runs; run++) {
    for (const name of names) {
      collectGarbage()
      values[name].push(await contenders[name]())
      report.progress(`  run ${run + 1}/${runs} ${name}: ${format(values[name][run])}`)
    }
  }
  return Object.fromEntries(names.map((name) => [name, summarize(values[name])])) as Record<K, Sample>
}

let gc: (() => void) | undefined

/** Collects garbage, so that no contender pays for the one before it. */
export function collectGarbage(): void {
  if (gc === undefined) {
    setFlagsFromString('--expose-gc')
    gc = runInNewContext('gc') as () => void
  }
  gc()
}

export const seconds = (sinceMs: number): number => (performance.now() - sinceMs) / 1_000

export function format(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`
  return value.toFixed(2)
}

export const formatSample = ({ median, min, max }: Sample): string =>
  `${format(median)} (${format(min)} to ${format(max)})`

export function describeMachine(): string {
  const [cpu] = cpus()
  const memoryGib = (totalmem() / 2 ** 30).toFixed(0)
  return `${cpu.model}, ${cpus().length} cores, ${memoryGib} GiB, Node ${process.version}, ${process.platform}`
}

export function createReport(): Report {
  return {
    progress: (text) => void process.stderr.write(`${text}\n`),
    line: (text) => void process.stdout.write(`${text}\n`),
    table(rows) {
      const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
      for (const row of rows) {
        process.stdout.write(
          `${row
            .map((cell, column) => cell.padEnd(widths[column]))
            .join('  ')
            .trimEnd()}\n`,
        )
      }
    },
  }
}
