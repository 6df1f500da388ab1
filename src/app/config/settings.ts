/**
 * Every setting, once. The types of the configuration, its environment variables, flags, keys in a config
 * file, and the help all come from this table.
 */

import { LIMITS } from '../../core/limits.ts'
import { ROLES } from '../../engine/processes/shared.ts'
import { EXPOSURES } from '../../http/exposure.ts'
import { RATE_LIMITS } from '../../http/limits.ts'
import { memoryViewsBytesMin } from '../../ports/views/memory/memory.ts'
import {
  choice,
  host,
  name,
  nodes,
  optional,
  origins,
  path,
  secret,
  whole,
  type Kind,
} from './setting-kinds.ts'

export const MIB = 2 ** 20

export interface Setting<T> {
  readonly of: Kind<T>
  readonly fallback: NoInfer<T>
  /** The default as the help shows it, where the value itself would not tell. */
  readonly fallbackText?: string
  readonly help: string
  /** Never printed, and without a flag: every user of a machine can read the command lines of its processes. */
  readonly isSecret?: boolean
  /** Not allowed in the config file, which cannot name another config file. */
  readonly notInFile?: boolean
}

const setting = <T>(definition: Setting<T>): Setting<T> => definition
const none = <T>(): T | undefined => undefined

const certificates = {
  of: optional(path),
  fallback: none<string>(),
  fallbackText: 'those that Node.js trusts',
}

export const SETTINGS = {
  data: setting({ of: path, fallback: './data', help: 'folder that holds all data' }),
  port: setting({ of: whole(0, 65_535), fallback: 8_080, help: 'port of the HTTP API; 0 takes a free one' }),
  host: setting({
    of: host,
    fallback: '127.0.0.1',
    help: 'address to listen on; 0.0.0.0 stands for all addresses of this machine',
  }),
  serverKey: setting({
    of: optional(secret(8)),
    fallback: none<string>(),
    fallbackText: 'made at the first start, kept in DATA/server.key or in the keyspace',
    help: 'key with which the application creates accounts and tokens',
    isSecret: true,
  }),
  role: setting({
    of: choice(...ROLES),
    fallback: 'all',
    help: 'what this process does on engines: api answers requests, worker fans out, all does both',
  }),
  rateLimit: setting({
    of: choice('on', 'off'),
    fallback: 'on',
    help: 'whether the requests of an account are limited',
  }),
  readsPerMinute: setting({
    of: whole(1, 1_000_000_000),
    fallback: RATE_LIMITS.read,
    help: 'reads that an account may send per minute',
  }),
  writesPerMinute: setting({
    of: whole(1, 1_000_000_000),
    fallback: RATE_LIMITS.write,
    help: 'writes that an account may send per minute',
  }),
  logLevel: setting({
    of: choice('silent', 'fatal', 'error', 'warn', 'info', 'debug'),
    fallback: 'info',
    fallbackText: 'info; warn on a terminal and with --demo',
    help: 'what is logged (JSON lines on stderr); debug also shows where errors come from',
  }),
  timelinesMib: setting({
    of: whole(Math.ceil(memoryViewsBytesMin(LIMITS.timelineEntriesMax) / MIB), 1_048_576),
    fallback: 512,
    help: 'memory for timelines; those that do not fit are rebuilt when they are read',
  }),
  postCacheMib: setting({ of: whole(1, 1_048_576), fallback: 256, help: 'memory for cached posts' }),
  logRetentionHours: setting({
    of: whole(1, 87_600),
    fallback: 168,
    help: 'hours for which the log keeps records at least, even if every consumer has read them',
  }),
  tokenTtlHours: setting({ of: whole(1, 87_600), fallback: 168, help: 'hours for which a token is valid' }),
  corsOrigins: setting({
    of: origins,
    fallback: [] as readonly string[],
    fallbackText: 'none',
    help: 'web origins whose pages may call the API',
  }),
  metrics: setting({
    of: choice(...EXPOSURES),
    fallback: 'open',
    help: 'who may read /metrics: everybody who reaches the port (open), holders of the server key (key), nobody (off)',
  }),
  metricsPort: setting({
    of: optional(whole(0, 65_535)),
    fallback: none<number>(),
    fallbackText: 'that of the API',
    help: 'port for /metrics alone; the port of the API then does not serve them',
  }),
  metricsHost: setting({
    of: optional(host),
    fallback: none<string>(),
    fallbackText: 'that of the API',
    help: 'address to listen on with the port for metrics',
  }),
  docs: setting({
    of: choice(...EXPOSURES),
    fallback: 'open',
    help: 'who may read /docs and /openapi.json: everybody (open), holders of the server key (key), nobody (off)',
  }),
  kafka: setting({
    of: optional(nodes('kafka', 9_092)),
    fallback: none<readonly string[]>(),
    fallbackText: 'the log is in the data folder',
    help: 'Kafka brokers that keep the log',
  }),
  kafkaTopic: setting({ of: name(200), fallback: 'rivulet', help: 'topic of the log' }),
  kafkaPartitions: setting({
    of: whole(1, 1_024),
    fallback: 12,
    help: 'partitions of the topic that `rivulet migrate` creates',
  }),
  kafkaReplication: setting({
    of: whole(1, 9),
    fallback: 3,
    help: 'replicas of the topic that `rivulet migrate` creates',
  }),
  kafkaTls: setting({
    of: choice('on', 'off'),
    fallback: 'off',
    help: 'whether connections to Kafka are encrypted',
  }),
  kafkaCa: setting({
    ...certificates,
    help: 'PEM file of the authorities (CA) for the certificates of Kafka',
  }),
  kafkaSasl: setting({
    of: choice('none', 'plain', 'scram-sha-256', 'scram-sha-512'),
    fallback: 'none',
    help: 'SASL mechanism with which this process logs in to Kafka',
  }),
  kafkaUsername: setting({
    of: optional(secret(1)),
    fallback: none<string>(),
    fallbackText: 'none',
    help: 'user name for Kafka',
  }),
  kafkaPassword: setting({
    of: optional(secret(1)),
    fallback: none<string>(),
    fallbackText: 'none',
    help: 'password of that user',
    isSecret: true,
  }),
  cassandra: setting({
    of: optional(nodes('cassandra', 9_042)),
    fallback: none<readonly string[]>(),
    fallbackText: 'rows are in the data folder',
    help: 'Cassandra or ScyllaDB nodes that keep the rows',
  }),
  cassandraKeyspace: setting({ of: name(48), fallback: 'rivulet', help: 'keyspace of the rows' }),
  cassandraDatacenter: setting({
    of: host,
    fallback: 'datacenter1',
    help: 'data centre of Cassandra that is local to this process',
  }),
  cassandraReplication: setting({
    of: whole(1, 9),
    fallback: 3,
    help: 'replicas of the keyspace that `rivulet migrate` creates',
  }),
  cassandraUsername: setting({
    of: optional(secret(1)),
    fallback: none<string>(),
    fallbackText: 'none',
    help: 'user name for Cassandra',
  }),
  cassandraPassword: setting({
    of: optional(secret(1)),
    fallback: none<string>(),
    fallbackText: 'none',
    help: 'password of that user',
    isSecret: true,
  }),
  cassandraTls: setting({
    of: choice('on', 'off'),
    fallback: 'off',
    help: 'whether connections to Cassandra are encrypted',
  }),
  cassandraCa: setting({
    ...certificates,
    help: 'PEM file of the authorities (CA) for the certificates of Cassandra',
  }),
  redis: setting({
    of: optional(nodes('redis', 6_379)),
    fallback: none<readonly string[]>(),
    fallbackText: 'timelines are in memory',
    help: 'Redis or Valkey nodes, single or a cluster, that keep timelines, short-lived keys and signals',
  }),
  redisPrefix: setting({
    of: name(48),
    fallback: 'rivulet',
    help: 'prefix of every key in Redis, so that deployments can share one',
  }),
  redisUsername: setting({
    of: optional(secret(1)),
    fallback: none<string>(),
    fallbackText: 'none',
    help: 'user name for Redis',
  }),
  redisPassword: setting({
    of: optional(secret(1)),
    fallback: none<string>(),
    fallbackText: 'none',
    help: 'password of that user',
    isSecret: true,
  }),
  redisTls: setting({
    of: choice('on', 'off'),
    fallback: 'off',
    help: 'whether connections to Redis are encrypted',
  }),
  redisCa: setting({
    ...certificates,
    help: 'PEM file of the authorities (CA) for the certificates of Redis',
  }),
  config: setting({
    of: optional(path),
    fallback: none<string>(),
    fallbackText: 'none',
    help: 'JSON file with settings, such as {"port": 8081}',
    notInFile: true,
  }),
} as const

export type SettingKey = keyof typeof SETTINGS
export type Config = {
  readonly [K in SettingKey]: (typeof SETTINGS)[K] extends Setting<infer T> ? T : never
}

/** Settings that say where the log and the rows are. */
export const DURABLE_SETTINGS = [
  'data',
  'kafka',
  'kafkaTopic',
  'kafkaTls',
  'kafkaCa',
  'kafkaSasl',
  'kafkaUsername',
  'cassandra',
  'cassandraKeyspace',
  'cassandraDatacenter',
  'cassandraUsername',
  'cassandraTls',
  'cassandraCa',
] as const satisfies readonly SettingKey[]

/** Settings that say where timelines are, if not in memory. */
export const REDIS_SETTINGS = [
  'redis',
  'redisPrefix',
  'redisUsername',
  'redisTls',
  'redisCa',
] as const satisfies readonly SettingKey[]

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[]

const words = (key: string, separator: string): string =>
  key.replace(/[A-Z]/g, (letter) => `${separator}${letter.toLowerCase()}`)

export const variableOf = (key: SettingKey): string => `RIVULET_${words(key, '_').toUpperCase()}`
export const fileKeyOf = (key: SettingKey): string => words(key, '_')
export const flagOf = (key: SettingKey): string | undefined =>
  settingOf(key).isSecret === true ? undefined : `--${words(key, '-')}`

export const settingOf = (key: SettingKey): Setting<unknown> => SETTINGS[key]

/** Two lines per setting: its variable and purpose, then the allowed values and the default. */
export function settingsHelp(): string {
  const width = Math.max(...SETTING_KEYS.map((key) => variableOf(key).length)) + 2
  return SETTING_KEYS.map((key) => {
    const { help, of, fallback, fallbackText } = settingOf(key)
    const without = fallbackText ?? String(fallback)
    return `  ${variableOf(key).padEnd(width)}${help}\n  ${' '.repeat(width)}${of.allowed}; default: ${without}`
  }).join('\n')
}
