/** Engines with TLS, under certificates of an authority of one's own, and with passwords. */

import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../src/app/config/config.ts'
import { createRealEnv, migratePorts, openPorts } from '../../src/app/ports/open.ts'
import { createRivulet } from '../../src/index.ts'
import { cassandra } from '../../tools/engines/cassandra.ts'
import { openEngineFolder, type Engine, type EngineDefinition } from '../../tools/engines/engine.ts'
import { kafka } from '../../tools/engines/kafka.ts'
import { freePorts } from '../../tools/engines/processes.ts'
import { redis } from '../../tools/engines/redis.ts'

const folder = mkdtempSync(join(tmpdir(), 'rivulet-secure-'))
const file = (name: string) => join(folder, name)
const env = createRealEnv()
const engines: Engine[] = []
let ports: number[]

/** Makes an authority, and a certificate of it for this machine. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem'],
    ...['-days', '2', '-subj', '/CN=tests'],
  )
  openssl(
    ...[
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'own.key',
      '-out',
      'own.csr',
      '-subj',
      '/CN=127.0.0.1',
    ],
  )
  writeFileSync(file('own.ext'), 'subjectAltName=IP:127.0.0.1\n')
  openssl(
    ...['x509', '-req', '-in', 'own.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-out', 'own.pem', '-days', '2', '-extfile', 'own.ext'],
  )
  writeFileSync(
    file('both.pem'),
    readFileSync(file('own.key'), 'utf8') + readFileSync(file('own.pem'), 'utf8'),
  )
  openssl(
    ...[
      'pkcs12',
      '-export',
      '-inkey',
      'own.key',
      '-in',
      'own.pem',
      '-out',
      'own.p12',
      '-passout',
      'pass:changeit',
    ],
  )
}

/** Beside its open port, which the tools need, each engine gets one with TLS and a login. */
const secureKafka: EngineDefinition = {
  ...kafka,
  async prepare(...args) {
    const nodes = await kafka.prepare(...args)
    const path = join(nodes[0].folder, 'server.properties')
    const listener = `SASL_SSL://127.0.0.1:${ports[0]}`
    const more = `
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_rivulet="secret";
ssl.keystore.type=PEM
ssl.keystore.location=${file('both.pem')}
`
    const properties = readFileSync(path, 'utf8')
      .replace(/^(listeners=.*)$/m, `$1,${listener}`)
      .replace(/^(advertised.listeners=.*)$/m, `$1,${listener}`)
      .replace(/^(listener.security.protocol.map=.*)$/m, '$1,SASL_SSL:SASL_SSL')
    writeFileSync(path, properties + more)
    return nodes
  },
}
const secureCassandra: EngineDefinition = {
  ...cassandra,
  async prepare(...args) {
    const nodes = await cassandra.prepare(...args)
    const options = `
client_encryption_options:
  enabled: true
  optional: true
  keystore: ${file('own.p12')}
  keystore_password: changeit
  store_type: PKCS12
`
    appendFileSync(join(nodes[0].folder, 'cassandra.yaml'), options)
    return nodes
  },
}
const secureRedis: EngineDefinition = {
  ...redis,
  async prepare(...args) {
    const [node] = await redis.prepare(...args)
    const tls = [
      ...[
        '--tls-port',
        String(ports[1]),
        '--tls-cert-file',
        file('own.pem'),
        '--tls-key-file',
        file('own.key'),
      ],
      ...['--tls-ca-cert-file', file('ca.pem'), '--tls-auth-clients', 'no'],
    ]
    return [{ ...node, command: [...node.command, ...tls] }]
  },
}

beforeAll(async () => {
  makeCertificates()
  ports = await freePorts(2)
  const place = openEngineFolder(join(folder, 'engines'))
  for (const definition of [secureKafka, secureCassandra, secureRedis]) {
    engines.push(await place.up(definition, 1, (line) => console.log(line)))
  }
})
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.stop()))
  rmSync(folder, { recursive: true, force: true })
})

function configOf(changes: Record<string, string | undefined> = {}) {
  const variables: Record<string, string | undefined> = {
    RIVULET_KAFKA: `127.0.0.1:${ports[0]}`,
    RIVULET_KAFKA_REPLICATION: '1',
    RIVULET_KAFKA_TLS: 'on',
    RIVULET_KAFKA_CA: file('ca.pem'),
    RIVULET_KAFKA_SASL: 'plain',
    RIVULET_KAFKA_USERNAME: 'rivulet',
    RIVULET_KAFKA_PASSWORD: 'secret',
    RIVULET_CASSANDRA: `127.0.0.1:${engines[1].nodes[0].port}`,
    RIVULET_CASSANDRA_REPLICATION: '1',
    RIVULET_CASSANDRA_TLS: 'on',
    RIVULET_CASSANDRA_CA: file('ca.pem'),
    RIVULET_REDIS: `127.0.0.1:${ports[1]}`,
    RIVULET_REDIS_TLS: 'on',
    RIVULET_REDIS_CA: file('ca.pem'),
    ...changes,
  }
  const environment = Object.fromEntries(
    Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  return readConfig({ flags: {}, environment }).config
}

const open = (config: ReturnType<typeof configOf>) =>
  openPorts({ env, config, onFatal: () => undefined, onNotice: () => undefined, isShared: true })

test('a post goes all the way over encrypted connections', async () => {
  const config = configOf()
  await migratePorts({ env, config, onNotice: () => undefined })
  const ports = await open(config)
  const rivulet = createRivulet(ports, {
    secret: new Uint8Array(32).fill(1),
    shared: { role: 'all', gate: async () => 0, horizonEveryMs: 50 },
  })
  await rivulet.start()
  const [ann, bob] = [
    await rivulet.graph.commands.createAccount({}),
    await rivulet.graph.commands.createAccount({}),
  ]
  await rivulet.graph.commands.follow(bob.number, ann.number)
  const { id } = await rivulet.feed.commands.post(ann.number, { content: 'in private' })
  await rivulet.settle()
  const page = await rivulet.feed.reads.home(bob.number, { limit: 10 })
  expect(page.items.map((item) => item.id)).toEqual([id])
  expect(page.failedSources).toEqual([])
  await rivulet.stop()
  await ports.close()
})

test.for([
  ['a wrong password of Kafka', { RIVULET_KAFKA_PASSWORD: 'guessed' }, /RIVULET_KAFKA_(USERNAME|PASSWORD)/],
  ['an authority that Kafka does not have', { RIVULET_KAFKA_CA: undefined }, /RIVULET_KAFKA_CA/],
  ['an authority that Cassandra does not have', { RIVULET_CASSANDRA_CA: undefined }, /RIVULET_CASSANDRA_CA/],
  ['an authority that Redis does not have', { RIVULET_REDIS_CA: undefined }, /RIVULET_REDIS_CA/],
] as const)('%s is told, with the setting', async ([, changes, setting]) => {
  const error: unknown = await open(configOf(changes)).catch((failure: unknown) => failure)
  expect(error).toMatchObject({ message: expect.stringMatching(setting) })
})

test.for([
  ['a file that is not there', { RIVULET_REDIS_CA: '/nowhere/ca.pem' }, /RIVULET_REDIS_CA/],
  ['authorities without encryption', { RIVULET_REDIS_TLS: undefined }, /RIVULET_REDIS_TLS/],
  ['a user of Kafka and no way to tell it', { RIVULET_KAFKA_SASL: undefined }, /RIVULET_KAFKA_SASL/],
  ['no password', { RIVULET_KAFKA_PASSWORD: undefined }, /RIVULET_KAFKA_PASSWORD/],
] as const)('%s is a wrong setting', async ([, changes, setting]) => {
  const error: unknown = await open(configOf(changes)).catch((failure: unknown) => failure)
  expect(error).toMatchObject({ code: 'config_invalid', message: expect.stringMatching(setting) })
})
