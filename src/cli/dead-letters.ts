/** `rivulet dead-letters`: lists the records of the log that could not be applied, and appends them again. */

import { Command } from 'commander'
import { assertDataFolder } from '../app/ports/data-folder.ts'
import { listDeadLetters, replayDeadLetters } from '../app/dead-letters.ts'
import { createRealEnv, openPorts } from '../app/ports/open.ts'
import { DURABLE_SETTINGS, type SettingKey } from '../app/config/settings.ts'
import { endAtOnce } from './fatal.ts'
import { addSettings, assertOnePlace, configOf } from './setting-flags.ts'
import { createTerminal } from './terminal.ts'

const SETTINGS: readonly SettingKey[] = [...DURABLE_SETTINGS, 'config']

const HELP = `
A record of the log that is not an event, or whose rows cannot be written, is put aside with the reason, and the
records after it go on. --replay appends those that wait to the end of the log again; mend the cause first. Stop the
server before you use this on a data folder, and before every --replay.`

interface Flags extends Partial<Record<SettingKey, string>> {
  readonly replay?: true
}

export const deadLettersCommand = (): Command =>
  addSettings(
    new Command('dead-letters')
      .description('list the records that could not be applied, or append them to the log again')
      .option('--replay', 'append those that wait to the end of the log again')
      .addHelpText('after', HELP),
    SETTINGS,
  ).action(run)

async function run(flags: Flags): Promise<void> {
  const env = createRealEnv()
  const terminal = createTerminal(env)
  const { config } = configOf(flags, SETTINGS)
  assertOnePlace(flags, config)
  if (config.kafka === undefined) assertDataFolder(config.data)
  const onFatal = endAtOnce
  const ports = await openPorts({
    env,
    config: { ...config, redis: undefined },
    onFatal,
    onNotice: terminal.note,
    // Dead letters on engines may be listed while others serve them.
    isShared: flags.replay !== true,
  })
  try {
    const { waiting, replayed } = await listDeadLetters(ports, (letter) => {
      const { partition, position, reactor, reason, atMs, isReplayed } = letter
      const of = reactor === undefined ? '' : `  reactor ${reactor}`
      const state = isReplayed ? 'replayed' : 'waits'
      terminal.print(
        `${new Date(atMs).toISOString()}  partition ${partition}  position ${position}${of}  ${state}  ${reason}`,
      )
    })
    terminal.print(`${waiting} wait, ${replayed} were replayed`)
    if (flags.replay !== true) return
    const count = await replayDeadLetters(ports)
    terminal.print(`${count} appended again; they are applied when this deployment is served`)
  } finally {
    await ports.close()
  }
}
