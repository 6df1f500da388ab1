/**
 * The configuration of a process: flags, or the options of a program that has it as a library, before environment
 * before config file before defaults. Nothing wrong is passed over: a bad value, a misspelt variable or key ends the
 * start with what is allowed.
 * The one file that may read `process.env`.
 */

import { readFileSync } from 'node:fs'
import { RivuletError } from '../core/errors.ts'
import { nearest } from './did-you-mean.ts'
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
  /** What somebody set; the others have their defaults. */
  readonly given: ReadonlySet<SettingKey>
}

export interface ConfigSources {
  readonly flags?: Flags
  /** Values by the names of the settings. */
  readonly options?: Readonly<Record<string, unknown>>
  readonly environment?: Environment
}

export const processEnvironment = (): Environment => process.env

/** Known before the configuration is: errors in it are errors, too. */
export const isDebugging = (environment: Environment): boolean => environment.RIVULET_LOG_LEVEL === 'debug'

/** What was written for a setting, and where. */
interface Written {
  readonly text: string
  readonly where: string
}
type WrittenSettings = Partial<Record<SettingKey, Written>>

export function readConfig({ flags = {}, options = {}, environment = {} }: ConfigSources): Configured {
  const outside = { ...fromEnvironment(environment), ...fromOptions(options), ...fromFlags(flags) }
  const file = outside.config?.text
  const written: WrittenSettings = { ...(file === undefined ? {} : fromFile(file)), ...outside }
  const given = new Set(SETTING_KEYS.filter((key) => written[key] !== undefined))
  const values = SETTING_KEYS.map((key) => [key, valueOf(key, written[key])] as const)
  assertWhole(written)
  return { config: Object.fromEntries(values) as unknown as Config, given }
}

/** Each has settings of its own, which say nothing without its address. */
const ENGINES = ['kafka', 'cassandra', 'redis'] as const
const LOGINS = [
  ['cassandraUsername', 'cassandraPassword'],
  ['redisUsername', 'redisPassword'],
] as const

/** A line that is lost from a unit file must not make another deployment of it. */
function assertWhole(written: WrittenSettings): void {
  for (const engine of ENGINES) {
    const stray = SETTING_KEYS.find((key) => key.startsWith(engine) && written[key] !== undefined)
    if (stray !== undefined && written[engine] === undefined) throw lacks(stray, engine)
  }
  for (const [username, password] of LOGINS)
    if (written[username] !== undefined && written[password] === undefined) throw lacks(username, password)
}

const lacks = (given: SettingKey, missing: SettingKey): RivuletError =>
  new RivuletError(
    'config_invalid',
    `the setting ${spellings(given)} is set, and ${variableOf(missing)}, without which it says nothing, is not`,
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
    if (key === undefined) throw unknownName('option', name, SETTING_KEYS)
    if (value !== undefined) written[key] = writtenAs(key, value, 'the options')
  }
  return written
}

/** An empty variable is one that is not set: that is how compose files leave one out. */
function fromEnvironment(environment: Environment): WrittenSettings {
  const written: WrittenSettings = {}
  const known = new Map(SETTING_KEYS.map((key) => [variableOf(key), key]))
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('RIVULET_')) continue
    const key = known.get(name)
    if (key === undefined) throw unknownName('environment variable', name, [...known.keys()])
    if (text !== undefined && text !== '') written[key] = { text, where: `the environment (${name})` }
  }
  return written
}

function fromFile(path: string): WrittenSettings {
  const written: WrittenSettings = {}
  const keys = SETTING_KEYS.filter((key) => settingOf(key).notInFile !== true)
  const known = new Map(keys.map((key) => [fileKeyOf(key), key]))
  for (const [name, value] of Object.entries(readJsonObject(path))) {
    const key = known.get(name)
    if (key === undefined) throw unknownName(`setting in ${path}`, name, [...known.keys()])
    written[key] = writtenAs(key, value, path)
  }
  return written
}

function readJsonObject(path: string): object {
  const next = 'give the path of a JSON file, such as {"port": 8081}'
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    const message = `the config file ${path} cannot be read (${(error as Error).message}); ${next}`
    throw new RivuletError('config_invalid', message, { cause: error })
  }
  const value = parseJson(path, content)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new RivuletError('config_invalid', `the config file ${path} holds no JSON object; ${next}`)
}

function parseJson(path: string, content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    const detail = (error as Error).message
    throw new RivuletError('config_invalid', `the config file ${path} is not JSON: ${detail}`, {
      cause: error,
    })
  }
}

/** 8080 or "8080", and a list as one. */
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
  // An address in the usual form of a URL may have a password in it.
  const shown = isSecret === true ? 'a value that is not shown' : json.replace(/\/\/[^/@]*@/, '//…@')
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

function unknownName(what: string, name: string, known: readonly string[]): RivuletError {
  const near = nearest(name, known)
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`
  return new RivuletError('config_invalid', `there is no ${what} named ${name}; ${hint}`)
}
