/** `rivulet bench`: runs the benchmarks of a checkout. The package does not contain them. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { RivuletError } from '../core/errors.ts'
import { packageFolder } from '../app/version.ts'

const MAIN = join(packageFolder, 'bench', 'main.ts')

export const benchCommand = (): Command =>
  new Command('bench')
    .description('run the benchmarks of a checkout; arguments are passed on to them (NAME, --quick, --json)')
    .allowUnknownOption()
    .argument('[arguments...]')
    .action(runBench)

async function runBench(names: readonly string[]): Promise<void> {
  if (!existsSync(MAIN)) {
    const message = `benchmarks are not part of the package (there is no ${MAIN}); clone the repository and run: npm run bench`
    throw new RivuletError('unavailable', message)
  }
  const child = spawn(process.execPath, [...process.execArgv, '--import', 'tsx', MAIN, ...names], {
    cwd: packageFolder,
    stdio: 'inherit',
  })
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}
