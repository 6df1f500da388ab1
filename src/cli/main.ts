/** The program `rivulet`: its commands and their exit codes. */

import { Command } from 'commander'
import { settingsHelp } from '../app/config/settings.ts'
import { benchCommand } from './bench.ts'
import { deadLettersCommand } from './dead-letters.ts'
import { doctorCommand } from './doctor.ts'
import { EXIT, reportFailure } from './failure.ts'
import { importCommand } from './import.ts'
import { migrateCommand } from './migrate.ts'
import { moveCommand } from './move.ts'
import { serveCommand } from './serve.ts'
import { keepProcess } from '../ports/env/keep.ts'
import { readVersion } from '../app/version.ts'

const HELP = `
Settings, for every command. A flag takes precedence over the environment, that over the config file (--config FILE,
with keys in lower case and without RIVULET_), that over the default.

${settingsHelp()}

Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 imported, but rows were left out.`

/**
 * Commander's error as one line in the form of other errors. The value of an unknown flag is removed: it may be a
 * secret.
 */
const usageLine = (text: string): string =>
  `rivulet: config_invalid: ${text
    .trim()
    .replace(/^error: /, '')
    .replace(/(option '--[^'=]+)=[^']*'/, "$1'")
    .replaceAll('\n', ' ')}; see rivulet --help\n`

const program = new Command('rivulet')
  .description('A self-hosted fan-out engine: news feeds from one log.')
  .version(readVersion())
  .addHelpText('after', HELP)
  .configureHelp({ helpWidth: 110 })
  .configureOutput({ outputError: (text, write) => write(usageLine(text)) })
for (const command of [
  serveCommand(),
  migrateCommand(),
  moveCommand(),
  importCommand(),
  doctorCommand(),
  deadLettersCommand(),
  benchCommand(),
]) {
  program.addCommand(command.copyInheritedSettings(program))
}
for (const command of [program, ...program.commands]) command.exitOverride()

// If the reader of the output goes away, the command goes on and ends as it would have.
for (const out of [process.stdout, process.stderr]) out.on('error', () => undefined)

const kept = keepProcess()
try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = reportFailure(error)
} finally {
  kept.release()
}
process.exitCode ??= EXIT.ok
// Everything is closed by now. A connection that a driver left open must not keep the process.
process.stdout.write('', () => process.exit())
