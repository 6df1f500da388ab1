/** The command `rivulet`: its commands, and how each of them ends. */

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
Settings, for every command: a flag goes before the environment, that before the config file (--config FILE,
keys in lower case without RIVULET_), that before the default.

${settingsHelp()}

Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong setting, 3 imported, but rows were left out.`

/** Commander's remarks come in lines of their own; ours is one. What was given to a flag that is none may be a secret. */
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

// Whoever read the output may go: what is done goes on, and ends as it would have.
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
// Everything is closed by now; a driver that left a connection behind keeps nobody.
process.stdout.write('', () => process.exit())
