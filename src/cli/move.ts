/** `rivulet move`: moves a deployment from a data folder to engines, or back. */

import { Command, Option } from 'commander'
import { move } from '../app/move/move.ts'
import { createRealEnv } from '../app/ports/open.ts'
import { DURABLE_SETTINGS, type SettingKey } from '../app/config/settings.ts'
import { endAtOnce } from './fatal.ts'
import { addSettings, configOf } from './setting-flags.ts'
import { count, createTerminal, seconds } from './terminal.ts'

const SETTINGS: readonly SettingKey[] = [...DURABLE_SETTINGS, 'config']

const HELP = `
Neither side may be served meanwhile. The target must be new: a folder that does not exist, or a topic and keyspace
that rivulet migrate has just created. If a move is interrupted, run it again. At the end both sides are compared. The
source keeps its data, and is marked so that it is not served by mistake.`

interface MoveFlags extends Partial<Record<SettingKey, string>> {
  readonly to: 'engines' | 'folder'
}

export const moveCommand = (): Command =>
  addSettings(
    new Command('move')
      .description('move a data folder to Kafka and Cassandra, or back')
      .addOption(
        new Option('--to <side>', 'where to move the data')
          .choices(['engines', 'folder'])
          .makeOptionMandatory(),
      )
      .addHelpText('after', HELP),
    SETTINGS,
  ).action(runMove)

async function runMove(flags: MoveFlags): Promise<void> {
  const env = createRealEnv()
  const { config } = configOf(flags, SETTINGS)
  const terminal = createTerminal(env)
  const startedAtMs = env.monotonicMs()
  const { note: onNotice, progress } = terminal
  try {
    const { rows, from, to } = await move({
      env,
      config,
      to: flags.to,
      onFatal: endAtOnce,
      onNotice,
      progress,
    })
    terminal.endProgress()
    const took = seconds(env.monotonicMs() - startedAtMs)
    terminal.print(`${count(rows)} rows moved from ${from} to ${to}; both sides agree (${took})`)
  } finally {
    terminal.endProgress()
  }
}
