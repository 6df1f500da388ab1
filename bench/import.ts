/** Measures `rivulet import` of an edge list: the whole process, from its start to its end. */

import { spawn } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DATA_SETS, generatePowerLaw } from './graph.ts'
import { type Bench, type BenchContext, type BenchResult, RUNS, formatSample, interleave } from './harness.ts'
import { scratchFolder } from './http-server.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

export const importEdges: Bench = {
  name: 'import',
  describe: 'follows imported per second, end to end, a new folder each time (goal: 200,000)',
  run,
}

async function run({ report }: BenchContext): Promise<BenchResult> {
  const scratch = scratchFolder()
  try {
    const { file, follows, mutual, name } = edges(scratch)
    const one = async () => {
      const folder = scratchFolder()
      const startMs = performance.now()
      await runImport(['--edges', file, ...(mutual ? ['--mutual'] : []), '--data', join(folder, 'data')])
      const perS = follows / ((performance.now() - startMs) / 1_000)
      rmSync(folder, { recursive: true, force: true })
      return perS
    }
    const { ours } = await interleave({ ours: one }, RUNS, report)
    report.table([
      ['edge list', 'follows', 'follows/s'],
      [name, `${follows}`, formatSample(ours)],
    ])
    return { ours: ours.median, reference: null, ratio: null, unit: 'follows/s', runs: RUNS }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function edges(scratch: string): { file: string; follows: number; mutual: boolean; name: string } {
  const musae = `${DATA_SETS}/musae-github/edges.csv`
  if (existsSync(musae)) return { file: musae, follows: 578_006, mutual: true, name: 'musae-github' }
  const graph = generatePowerLaw(40_000, 600_000, 1)
  const lines: string[] = []
  for (let author = 0; author < graph.accounts; author++) {
    for (let at = graph.starts[author]; at < graph.starts[author + 1]; at++) {
      if (graph.followers[at] !== author) lines.push(`${graph.followers[at]},${author}`)
    }
  }
  const file = join(scratch, 'edges.csv')
  writeFileSync(file, lines.join('\n'))
  return { file, follows: lines.length, mutual: false, name: graph.name }
}

function runImport(args: readonly string[]): Promise<void> {
  const child = spawn('bin/rivulet.js', ['import', ...args], { cwd: ROOT, stdio: 'ignore' })
  return new Promise((resolve, reject) => {
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`rivulet import ended with ${code}`)),
    )
  })
}
