/** TLS and logins of the connections to engines, from the settings. */

import { readFileSync } from 'node:fs'
import { isRivuletError, RivuletError } from '../../core/errors.ts'
import { variableOf, type Config, type SettingKey } from '../config/settings.ts'

/** TLS of a connection; without `ca`, the authorities that Node.js trusts count. */
export interface Tls {
  readonly ca?: string
}

type Engine = 'kafka' | 'cassandra' | 'redis'

/** @returns `undefined` where connections are not encrypted */
export function tlsOf(config: Config, engine: Engine): Tls | undefined {
  const path = config[`${engine}Ca`]
  if (config[`${engine}Tls`] === 'on') return path === undefined ? {} : { ca: readPem(path, `${engine}Ca`) }
  if (path === undefined) return undefined
  const message = `${variableOf(`${engine}Ca`)} needs encrypted connections: set ${variableOf(`${engine}Tls`)} to on, or remove ${variableOf(`${engine}Ca`)}`
  throw new RivuletError('config_invalid', message)
}

function readPem(path: string, key: SettingKey): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const message = `${variableOf(key)}: ${path} cannot be read (${(cause as Error).message}); check its name and its access rights`
    throw new RivuletError('config_invalid', message, { cause })
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new RivuletError(
    'config_invalid',
    `${variableOf(key)}: ${path} holds no certificate in PEM form; name the PEM file of the authority`,
  )
}

/** TLS and SASL as the Kafka client takes them. */
export function kafkaSecurity(config: Config) {
  const tls = tlsOf(config, 'kafka')
  const { kafkaSasl: sasl, kafkaUsername: username, kafkaPassword: password } = config
  if (sasl === 'none') {
    if (username === undefined && password === undefined) return { ...(tls && { tls }) }
    const message = `a user name or password for Kafka needs ${variableOf('kafkaSasl')}: set it to plain, scram-sha-256 or scram-sha-512, as the brokers have it`
    throw new RivuletError('config_invalid', message)
  }
  if (username === undefined || password === undefined) {
    const message = `${variableOf('kafkaSasl')} needs ${variableOf('kafkaUsername')} and ${variableOf('kafkaPassword')}: set both, or set it to none`
    throw new RivuletError('config_invalid', message)
  }
  return { ...(tls && { tls }), sasl: { mechanism: MECHANISMS[sasl], username, password } }
}

const MECHANISMS = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const

const OF_CERTIFICATES = /certificate|SSL routines|EPROTO|wrong version number|altnames/i
const OF_THE_USER = /SASL_AUTHENTICATION_FAILED|UNSUPPORTED_SASL_MECHANISM|ILLEGAL_SASL_STATE/

/**
 * When a connection fails because of TLS or the login, turns the error into `config_invalid` with the names of the
 * settings to check.
 */
export async function naming<T>(engine: Engine, opening: Promise<T>): Promise<T> {
  try {
    return await opening
  } catch (error) {
    const hint = isRivuletError(error, 'unavailable') ? hintOf(engine, error.message) : undefined
    if (hint === undefined) throw error
    throw new RivuletError('config_invalid', `${(error as Error).message}; ${hint}`, { cause: error })
  }
}

function hintOf(engine: Engine, message: string): string | undefined {
  if (OF_THE_USER.test(message)) {
    return `check ${variableOf('kafkaSasl')}, ${variableOf('kafkaUsername')} and ${variableOf('kafkaPassword')}`
  }
  if (!OF_CERTIFICATES.test(message)) return undefined
  return `check ${variableOf(`${engine}Tls`)}, and that ${variableOf(`${engine}Ca`)} names the authority of its certificates`
}
