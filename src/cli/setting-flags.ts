/** The flags of commands, made from the table of settings. */

import type { Command } from 'commander'
import { processEnvironment, readConfig, type Configured } from '../app/config/config.ts'
import { flagOf, settingOf, variableOf, type Config, type SettingKey } from '../app/config/settings.ts'
import { RivuletError } from '../core/errors.ts'

export function addSettings(command: Command, keys: readonly SettingKey[]): Command {
  for (const key of keys) {
    const flag = flagOf(key)
    if (flag === undefined) continue
    const { help, fallback, fallbackText } = settingOf(key)
    const without = `default: ${fallbackText ?? String(fallback)}`
    command.option(`${flag} <value>`, `${help} (${variableOf(key)}; ${without})`)
  }
  return command
}

/** Reads the configuration from the flags of a command, the environment and the config file. */
export function configOf(
  options: Partial<Record<SettingKey, string>>,
  keys: readonly SettingKey[],
  onNotice: (text: string) => void = (text) => void process.stderr.write(`${text}\n`),
): Configured {
  const configured = readConfig({
    flags: Object.fromEntries(keys.map((key) => [key, options[key]])),
    environment: processEnvironment(),
  })
  for (const notice of configured.notices) onNotice(notice)
  return configured
}

/** Refuses --data while RIVULET_KAFKA is set: whoever names a folder does not mean the engines of the environment. */
export function assertOnePlace({ data }: Partial<Record<SettingKey, string>>, { kafka }: Config): void {
  if (data === undefined || kafka === undefined) return
  const message = `--data names the folder ${data}, but RIVULET_KAFKA says that the data is on engines; remove one of them`
  throw new RivuletError('config_invalid', message)
}
