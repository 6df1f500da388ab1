/**
 * Reads the configuration of a process. Flags (in the library: options) take precedence over the environment, that over
 * the config file, that over the defaults. A bad value or a misspelt name ends the start with what is allowed, so that
 * no setting is ignored silently. Only the environment may hold RIVULET_ variables of others: one that resembles no
 * setting is reported and ignored.
 *
 * The only file that may read `process.env`.
 */

import { readFileSync } from 'node:fs'
import { RivuletError } from '../../core/errors.ts'
import { nearest } from './did-you-mean.ts'
import { isOfPlatform } from '../platform-variables.ts'
import {
  fileKeyOf,
  flagOf,
  SETTING_KEYS,
  settingOf,
  variableOf,
  type Config,
  type SettingKey,
} from './settings.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type Flags = Readonly<Partial<Record<SettingKey, string>>>

export interface Configured {
  readonly config: Config
  /** Settings that were set; the others have their defaults. */
  readonly given: ReadonlySet<SettingKey>
  /** Sentences that whoever started the process should read. */
  readonly notices: readonly string[]
}

export interface ConfigSources {
  readonly flags?: Flags
  /** Values by the names of the settings. */
  readonly options?: Readonly<Record<string, unknown>>
  readonly environment?: Environment
}

export const processEnvironment = (): Environment => process.env

/** Read apart from the configuration, because errors in the configuration are to be debugged, too. */
export const isDebugging = (environment: Environment): boolean => environment.RIVULET_LOG_LEVEL === 'debug'

/** The text that a setting was given, and where that was. */
interface Written {
  readonly text: string
  readonly where: string
}
type WrittenSettings = Partial<Record<SettingKey, Written>>

export function readConfig({ flags = {}, options = {}, environment = {} }: ConfigSources): Configured {
  const { written: ofEnvironment, notices } = fromEnvironment(environment)
  const outside = { ...ofEnvironment, ...fromOptions(options), ...fromFlags(flags) }
  const file = outside.config?.text
  const written: WrittenSettings = { ...(file === undefined ? {} : fromFile(file)), ...outside }
  const given = new Set(SETTING_KEYS.filter((key) => written[key] !== undefined))
  const values = SETTING_KEYS.map((key) => [key, valueOf(key, written[key])] as const)
  assertWhole(written)
  return { config: Object.fromEntries(values) as unknown as Config, given, notices }
}

/** Engines whose other settings need their address: `kafkaTopic` needs `kafka`. */
const ENGINES = ['kafka', 'cassandra', 'redis'] as const
const LOGINS = [
  ['cassandraUsername', 'cassandraPassword'],
  ['redisUsername', 'redisPassword'],
] as const

/**
 * Refuses settings that lack the one that they depend on. Otherwise a line lost from a unit file could start another
 * deployment: without RIVULET_KAFKA, the process would serve a new data folder.
 */
function assertWhole(written: WrittenSettings): void {
  for (const engine of ENGINES) {
    const stray = SETTING_KEYS.find((key) => key.startsWith(engine) && written[key] !== undefined)
    if (stray !== undefined && written[engine] === undefined) throw lacks(stray, engine)
  }
  for (const [username, password] of LOGINS)
    if (written[username] !== undefined && written[password] === undefined) throw lacks(username, password)
  if (written.metricsHost !== undefined && written.metricsPort === undefined)
    throw lacks('metricsHost', 'metricsPort')
}

const lacks = (given: SettingKey, missing: SettingKey): RivuletError =>
  new RivuletError(
    'config_invalid',
    `the setting ${spellings(given)} needs ${variableOf(missing)}: set ${variableOf(missing)} too, or remove ${fileKeyOf(given)}`,
  )

function valueOf(key: SettingKey, written: Written | undefined): unknown {
  const { of, fallback } = settingOf(key)
  if (written === undefined) return fallback
  const value = of.parse(written.text)
  if (value === undefined) throw wrongValue(key, written)
  return value
}

function fromFlags(flags: Flags): WrittenSettings {
  const written: WrittenSettings = {}
  for (const key of SETTING_KEYS) {
    const text = flags[key]
    if (text !== undefined) written[key] = { text, where: flagOf(key) ?? key }
  }
  return written
}

function fromOptions(options: Readonly<Record<string, unknown>>): WrittenSettings {
  const written: WrittenSettings = {}
  for (const [name, value] of Object.entries(options)) {
    const key = SETTING_KEYS.find((known) => known === name)
    if (key === undefined) throw unknownName('option', name, nearest(name, SETTING_KEYS), SETTING_KEYS)
    if (value !== undefined) written[key] = writtenAs(key, value, 'the options')
  }
  return written
}

const PREFIX = 'RIVULET_'
const NAMES_TOLD_MAX = 10

/** An empty variable counts as not set: a compose file cannot leave a variable out otherwise. */
function fromEnvironment(environment: Environment): { written: WrittenSettings; notices: string[] } {
  const written: WrittenSettings = {}
  const foreign: string[] = []
  const known = new Map(SETTING_KEYS.map((key) => [variableOf(key), key]))
  for (const [name, text = ''] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || isOfPlatform(name, text)) continue
    const key = known.get(name)
    if (key !== undefined) {
      if (text !== '') written[key] = { text, where: `the environment (${name})` }
    } else if (meant(name) === undefined) foreign.push(name)
    else throw unknownName('environment variable', name, meant(name), [...known.keys()])
  }
  return { written, notices: foreign.length === 0 ? [] : [ignored(foreign)] }
}

/** The variable of a setting that was probably meant. */
function meant(name: string): string | undefined {
  const bare = SETTING_KEYS.map((key) => variableOf(key).slice(PREFIX.length))
  const near = nearest(name.slice(PREFIX.length), bare)
  return near === undefined ? undefined : PREFIX + near
}

function ignored(names: readonly string[]): string {
  const more = names.length > NAMES_TOLD_MAX ? `, and ${names.length - NAMES_TOLD_MAX} more` : ''
  return `ignored environment variables that are no settings: ${names.slice(0, NAMES_TOLD_MAX).join(', ')}${more}; rivulet --help lists all settings`
}

function fromFile(path: string): WrittenSettings {
  const written: WrittenSettings = {}
  const keys = SETTING_KEYS.filter((key) => settingOf(key).notInFile !== true)
  const known = new Map(keys.map((key) => [fileKeyOf(key), key]))
  for (const [name, value] of Object.entries(readJsonObject(path))) {
    const key = known.get(name)
    if (key === undefined) {
      const names = [...known.keys()]
      throw unknownName(`setting in ${path}`, name, nearest(name, names), names)
    }
    written[key] = writtenAs(key, value, path)
  }
  return written
}

const NEXT = 'give the path of a JSON file, such as {"port": 8081}'

function readJsonObject(path: string): object {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    const message = `the config file ${path} cannot be read (${(error as Error).message}); ${NEXT}`
    throw new RivuletError('config_invalid', message, { cause: error })
  }
  const value = parseJson(path, content)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new RivuletError('config_invalid', `the config file ${path} holds no JSON object; ${NEXT}`)
}

function parseJson(path: string, content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    // The parser's message quotes the text, which may be a secret: only its position is reported.
    const [, position] = /at position (\d+)/.exec((error as Error).message) ?? []
    const where = position === undefined ? '' : `, from character ${Number(position) + 1} on`
    throw new RivuletError('config_invalid', `the config file ${path} is not JSON${where}; ${NEXT}`)
  }
}

/** The text of a JSON value: 8080 as "8080", a list with commas between its items. */
function writtenAs(key: SettingKey, value: unknown, where: string): Written {
  if (typeof value === 'string') return { text: value, where }
  if (typeof value === 'number') return { text: String(value), where }
  if (Array.isArray(value) && value.every((each) => typeof each === 'string'))
    return { text: value.join(','), where }
  throw wrongJson(key, String(JSON.stringify(value)), where)
}

function wrongValue(key: SettingKey, { text, where }: Written): RivuletError {
  return wrongJson(key, JSON.stringify(text), where)
}

function wrongJson(key: SettingKey, json: string, where: string): RivuletError {
  const { of, isSecret } = settingOf(key)
  // Everything before an @ is hidden: it may be the user and password of an address.
  const shown = isSecret === true ? 'a value that is not shown' : json.replace(/^(\W*).*@/s, '$1…@')
  const message = `the setting ${spellings(key)} has ${shown}, from ${where}; allowed is ${of.allowed}`
  return new RivuletError('config_invalid', message)
}

function spellings(key: SettingKey): string {
  const { notInFile } = settingOf(key)
  const others = [
    flagOf(key),
    variableOf(key),
    notInFile === true ? undefined : `"${fileKeyOf(key)}" in a config file`,
  ]
  return `${fileKeyOf(key)} (${others.filter((other) => other !== undefined).join(', ')})`
}

function unknownName(
  what: string,
  name: string,
  near: string | undefined,
  known: readonly string[],
): RivuletError {
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`
  return new RivuletError('config_invalid', `there is no ${what} named ${name}; ${hint}`)
}
