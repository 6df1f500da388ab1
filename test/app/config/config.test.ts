/** The configuration: the precedence of its sources, and the errors for wrong settings. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig, type ConfigSources } from '../../../src/app/config/config.ts'
import { nearest } from '../../../src/app/config/did-you-mean.ts'
import { isOfPlatform } from '../../../src/app/platform-variables.ts'
import { SETTING_KEYS, settingsHelp, variableOf } from '../../../src/app/config/settings.ts'
import { RivuletError } from '../../../src/core/errors.ts'
import { tempFolder } from '../folders.ts'

function refusal(sources: ConfigSources): string {
  try {
    readConfig(sources)
  } catch (error) {
    expect(error).toBeInstanceOf(RivuletError)
    expect((error as RivuletError).code).toBe('config_invalid')
    return (error as RivuletError).message
  }
  throw new Error('was not refused')
}

function configFile(content: string): string {
  const path = join(tempFolder(), 'rivulet.json')
  writeFileSync(path, content)
  return path
}

test('without anything, every setting has its default', () => {
  const { config, given } = readConfig({})
  expect(config).toMatchObject({ data: './data', port: 8_080, host: '127.0.0.1', rateLimit: 'on' })
  expect(config).toMatchObject({ serverKey: undefined, corsOrigins: [], logLevel: 'info' })
  expect(given.size).toBe(0)
})

test('a flag takes precedence over the environment, that over the file, that over the default', () => {
  const file = configFile('{"port": 1, "host": "file", "log_level": "error", "token_ttl_hours": 2}')
  const environment = { RIVULET_CONFIG: file, RIVULET_PORT: '2', RIVULET_HOST: 'environment' }
  const { config, given } = readConfig({ flags: { port: '3' }, environment })
  expect(config).toMatchObject({ port: 3, host: 'environment', logLevel: 'error', tokenTtlHours: 2 })
  expect([...given].sort()).toEqual(['config', 'host', 'logLevel', 'port', 'tokenTtlHours'])
})

test('an empty variable counts as not set, and variables without the prefix are ignored', () => {
  expect(readConfig({ environment: { RIVULET_PORT: '', PATH: '/bin' } }).config.port).toBe(8_080)
})

/** What Kubernetes sets in every pod beside a Service of that name, with a named port. */
const ofService = (name: string): Record<string, string> => ({
  [`${name}_SERVICE_HOST`]: '10.0.0.1',
  [`${name}_SERVICE_PORT`]: '8080',
  [`${name}_SERVICE_PORT_HTTP`]: '8080',
  [`${name}_SERVICE_PORT_METRICS_TLS`]: '9090',
  [`${name}_PORT`]: 'tcp://10.0.0.1:8080',
  [`${name}_PORT_8080_TCP`]: 'tcp://10.0.0.1:8080',
  [`${name}_PORT_8080_TCP_PROTO`]: 'tcp',
  [`${name}_PORT_8080_TCP_PORT`]: '8080',
  [`${name}_PORT_8080_TCP_ADDR`]: '10.0.0.1',
  [`${name}_PORT_53_UDP`]: 'udp://10.0.0.1:53',
  [`${name}_PORT_53_UDP_ADDR`]: '10.0.0.1',
})

test.each([
  ['RIVULET'],
  ['RIVULET_API'],
  ['RIVULET_KAFKA'],
  ['RIVULET_METRICS'],
  ['RIVULET_DATA'],
  ['RIVULET_SERVER_KEY'],
])('variables that Kubernetes sets for a service %s are not settings', (service) => {
  const { config, given, notices } = readConfig({ environment: ofService(service) })
  expect([config, [...given], notices]).toEqual([readConfig({}).config, [], []])
})

test('variables that Docker sets for a link are not settings', () => {
  for (const alias of ['RIVULET', 'RIVULET_DB']) {
    const environment = {
      [`${alias}_NAME`]: '/web/rivulet',
      [`${alias}_ENV_PATH`]: '/bin',
      [`${alias}_PORT`]: 'tcp://172.17.0.5:8080',
      [`${alias}_PORT_8080_TCP_ADDR`]: '172.17.0.5',
    }
    const { given, notices } = readConfig({ environment })
    expect([[...given], notices]).toEqual([[], []])
  }
})

test('settings are read beside variables of the platform, and wrong ones are still refused', () => {
  const platform = ofService('RIVULET')
  const environment = { ...platform, RIVULET_PORT: '9000', RIVULET_HOST: '0.0.0.0' }
  expect(readConfig({ environment }).config).toMatchObject({ port: 9_000, host: '0.0.0.0' })
  expect(refusal({ environment: { ...platform, RIVULET_PORT: 'tcp:8080' } })).toMatch(/RIVULET_PORT/)
})

test('no setting is taken for a variable of a platform', () => {
  for (const key of SETTING_KEYS)
    for (const value of ['', '8080', '/a/b/c', '10.0.0.1:1'])
      expect(isOfPlatform(variableOf(key), value)).toBe(false)
})

test.each([
  ['RIVULET_KAFKA_BROKERS', 'RIVULET_KAFKA'],
  ['RIVULET_DATA_DIR', 'RIVULET_DATA'],
  ['RIVULET_TIMELINES', 'RIVULET_TIMELINES_MIB'],
  ['RIVULET_PORT_HTTP', 'RIVULET_PORT'],
  ['RIVULET_POTR', 'RIVULET_PORT'],
  ['RIVULET_REDIS_PASWORD', 'RIVULET_REDIS_PASSWORD'],
])('%s is likely a mistake, and refused', (name, meant) =>
  expect(refusal({ environment: { [name]: 'x' } })).toContain(`named ${name}; did you mean ${meant}?`),
)

test('a variable that resembles no setting is reported by name, and ignored', () => {
  const environment = { RIVULET_IMAGE: 'registry/x', RIVULET_TAG: 'secret-7', RIVULET_REPLICAS: '2' }
  const { config, notices } = readConfig({ environment })
  expect(config).toEqual(readConfig({}).config)
  expect(notices).toHaveLength(1)
  for (const name of Object.keys(environment)) expect(notices[0]).toContain(name)
  expect(notices[0]).not.toContain('secret-7')
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`RIVULET_XYZZY_${i}`, '']))
  expect(readConfig({ environment: many }).notices.join('').length).toBeLessThan(1_000)
})

test('a list is text with commas, or a list in a file', () => {
  const listed = { corsOrigins: ['https://a.example', 'http://b.example:81'] }
  const environment = { RIVULET_CORS_ORIGINS: 'https://a.example, http://b.example:81' }
  expect(readConfig({ environment }).config).toMatchObject(listed)
  const file = configFile('{"cors_origins": ["https://a.example", "http://b.example:81"]}')
  expect(readConfig({ flags: { config: file } }).config).toMatchObject(listed)
})

test.each<[string, ConfigSources, string]>([
  [
    'text that is not a number, from a flag',
    { flags: { port: '80a' } },
    'the setting port (--port, RIVULET_PORT, "port" in a config file) has "80a", from --port; allowed is a whole number from 0 to 65535',
  ],
  [
    'a number out of range, from the environment',
    { environment: { RIVULET_PORT: '65536' } },
    'the setting port (--port, RIVULET_PORT, "port" in a config file) has "65536", from the environment (RIVULET_PORT); allowed is a whole number from 0 to 65535',
  ],
  [
    'an empty path, as from a shell variable that is not set',
    { flags: { data: '' } },
    'the setting data (--data, RIVULET_DATA, "data" in a config file) has "", from --data; allowed is a path',
  ],
  [
    'a value that is not among the choices',
    { environment: { RIVULET_RATE_LIMIT: 'no' } },
    'the setting rate_limit (--rate-limit, RIVULET_RATE_LIMIT, "rate_limit" in a config file) has "no", from the environment (RIVULET_RATE_LIMIT); allowed is one of on, off',
  ],
  [
    'an origin with a path',
    { environment: { RIVULET_CORS_ORIGINS: 'https://a.example/x' } },
    'the setting cors_origins (--cors-origins, RIVULET_CORS_ORIGINS, "cors_origins" in a config file) has "https://a.example/x", from the environment (RIVULET_CORS_ORIGINS); allowed is origins such as https://app.example, separated by commas',
  ],
  [
    'a secret, which is not shown',
    { environment: { RIVULET_SERVER_KEY: 'hunter' } },
    'the setting server_key (RIVULET_SERVER_KEY, "server_key" in a config file) has a value that is not shown, from the environment (RIVULET_SERVER_KEY); allowed is 8 to 256 printable ASCII characters without spaces',
  ],
  [
    'a misspelt variable',
    { environment: { RIVULET_SERVERKEY: 'a-good-long-server-key' } },
    'there is no environment variable named RIVULET_SERVERKEY; did you mean RIVULET_SERVER_KEY?',
  ],
])('refused: %s', (_name, sources, message) => expect(refusal(sources)).toBe(message))

test.each<[string, string, RegExp]>([
  ['a misspelt key', '{"prot": 1}', /^there is no setting in \S+ named prot; did you mean port\?$/],
  ['a key unlike any', '{"zzzzzzzz": 1}', /named zzzzzzzz; known are data, port, host, /],
  ['no value at all', '{"data": null}', /has null, from \S+; allowed is a path$/],
  ['the file itself', '{"config": "other.json"}', /named config; known are /],
  [
    'a value of another kind',
    '{"port": true}',
    /^the setting port \(.*\) has true, from \S+; allowed is a whole/,
  ],
  ['no JSON', '{port: 1}', /^the config file \S+ is not JSON, from character 2 on; /],
  ['no object', '[1]', /^the config file \S+ holds no JSON object; give the path of a JSON file/],
])('refused in a file: %s', (_name, content, message) => {
  expect(refusal({ flags: { config: configFile(content) } })).toMatch(message)
})

test.each<[string, Record<string, string> | string]>([
  ['an address with a user and a password', { RIVULET_REDIS: 'redis://me:hunter2@127.0.0.1:6379' }],
  ['the same without a scheme', { RIVULET_REDIS: 'me:hunter2@127.0.0.1:6379' }],
  ['the same for one of many nodes', { RIVULET_KAFKA: '10.0.0.1:9092,kafka://u:a@hunter2@10.0.0.2' }],
  ['a password with a slash', { RIVULET_CASSANDRA: 'cassandra://u:a/hunter2@10.0.0.2:9042' }],
  ['a password of another kind in a file', '{"redis_password": ["hunter2 "]}'],
  ['a file that breaks off at a secret', '{"server_key": hunter2hunter2}'],
  ['a file that breaks off behind a secret', '{"server_key": "hunter2", x}'],
])('never shown: %s', (_name, written) => {
  const sources =
    typeof written === 'string' ? { flags: { config: configFile(written) } } : { environment: written }
  expect(refusal(sources)).not.toContain('hunter2')
})

test('a config file that does not exist is named', () => {
  expect(refusal({ flags: { config: '/no/such/file' } })).toMatch(
    /^the config file \/no\/such\/file cannot be read \(ENOENT/,
  )
})

test('help names every setting', () => {
  for (const key of SETTING_KEYS) expect(settingsHelp()).toContain(variableOf(key))
})

test('a name far from all known ones gets no suggestion', () => {
  expect(nearest('prt', ['port', 'host'])).toBe('port')
  expect(nearest('completely', ['port', 'host'])).toBeUndefined()
})

test('settings of an engine without its address are refused: a line was lost', () => {
  expect(refusal({ environment: { RIVULET_KAFKA_TOPIC: 'other' } })).toMatch(
    /RIVULET_KAFKA_TOPIC.* needs RIVULET_KAFKA: /,
  )
  expect(refusal({ environment: { RIVULET_CASSANDRA_KEYSPACE: 'other' } })).toMatch(
    / needs RIVULET_CASSANDRA: /,
  )
  expect(refusal({ environment: { RIVULET_REDIS_PREFIX: 'other' } })).toMatch(/ needs RIVULET_REDIS: /)
  const redis = { RIVULET_REDIS: '127.0.0.1:6379' }
  expect(readConfig({ environment: { ...redis, RIVULET_REDIS_PREFIX: 'p' } }).config.redisPrefix).toBe('p')
  expect(refusal({ environment: { ...redis, RIVULET_REDIS_USERNAME: 'u' } })).toMatch(
    /RIVULET_REDIS_PASSWORD/,
  )
  expect(refusal({ environment: { RIVULET_METRICS_HOST: '127.0.0.1' } })).toMatch(
    / needs RIVULET_METRICS_PORT: /,
  )
  const cassandra = { RIVULET_CASSANDRA: '127.0.0.1:9042', RIVULET_CASSANDRA_USERNAME: 'u' }
  expect(refusal({ environment: cassandra })).toMatch(/RIVULET_CASSANDRA_PASSWORD/)
})
