/** `rivulet doctor`: examines a data folder and prints what it found. */

import { Command } from 'commander'
import type { Finding } from '../app/doctor/check.ts'
import { examine } from '../app/doctor/doctor.ts'
import type { SettingKey } from '../app/config/settings.ts'
import { RivuletError } from '../core/errors.ts'
import { createRealEnv } from '../app/ports/open.ts'
import { EXIT } from './failure.ts'
import { endAtOnce } from './fatal.ts'
import { addSettings, configOf } from './setting-flags.ts'
import { count, createTerminal, seconds, type Terminal } from './terminal.ts'

const SETTINGS: readonly SettingKey[] = ['data', 'timelinesMib', 'config']
const READERS_MAX = 1_000_000

interface DoctorFlags extends Partial<Record<SettingKey, string>> {
  readonly readers: string
}

export const doctorCommand = (): Command =>
  addSettings(
    new Command('doctor')
      .description('check a data folder that is not being served: log, rows, counts, feeds')
      .option('--readers <number>', 'how many accounts’ feeds to compare with what they should be', '50'),
    SETTINGS,
  ).action(runDoctor)

async function runDoctor(flags: DoctorFlags): Promise<void> {
  const env = createRealEnv()
  const { config } = configOf(flags, SETTINGS)
  const readers = readersOf(flags.readers)
  const startedAtMs = env.monotonicMs()
  const terminal = createTerminal(env)
  const isWell = await examine({
    env,
    config,
    readers,
    progress: terminal.progress,
    onFatal: endAtOnce,
    onNotice: terminal.note,
    onFinding: (finding) => showFinding(terminal, finding),
  })
  const took = seconds(env.monotonicMs() - startedAtMs)
  terminal.print(
    isWell ? `all is well (${took})` : `something is wrong (${took}); see the lines marked FAILED`,
  )
  if (!isWell) process.exitCode = EXIT.failed
}

function readersOf(text: string): number {
  const readers = /^[0-9]{1,7}$/.test(text) ? Number(text) : Number.NaN
  if (readers <= READERS_MAX) return readers
  throw new RivuletError(
    'config_invalid',
    `--readers has "${text}"; allowed is a whole number from 0 to ${READERS_MAX}`,
  )
}

function showFinding(terminal: Terminal, { check, seen, examples, wrong }: Finding): void {
  terminal.endProgress()
  terminal.print(`${wrong === 0 ? 'ok    ' : 'FAILED'}  ${check.padEnd(10)}  ${seen}`)
  for (const example of examples) terminal.print(`        ${example}`)
  if (wrong > examples.length) terminal.print(`        … and ${count(wrong - examples.length)} more`)
}
