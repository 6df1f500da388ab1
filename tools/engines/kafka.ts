/** Starts Apache Kafka in KRaft mode: every node is both broker and controller, with a small heap and short timeouts. */

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { EngineDefinition } from './engine.ts'
import { jarsOf, javaOf } from './install.ts'
import { awaitReady, freePorts, type EngineNode } from './processes.ts'

/** Not 4.4.0, which does not resolve from Maven Central. Without the Log4j binding Kafka logs nothing. */
const KAFKA = {
  name: 'kafka-4.3.1',
  coordinates: ['org.apache.kafka:kafka_2.13:4.3.1', 'org.apache.logging.log4j:log4j-slf4j-impl:2.25.4'],
}
const HOST = '127.0.0.1'
const CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const READY_WITHIN_MS = 120_000

export const kafka: EngineDefinition = {
  name: 'kafka',
  async prepare(folder, count, report) {
    const java = await javaOf(report)
    const jars = await jarsOf(KAFKA, report)
    const ports = await freePorts(2 * count)
    const voters = Array.from({ length: count }, (_, i) => `${i + 1}@${HOST}:${ports[count + i]}`).join(',')
    return Array.from({ length: count }, (_, i) => {
      const node = layOut({ folder, java, jars, index: i, port: ports[i] })
      writeFileSync(
        join(node.folder, 'server.properties'),
        propertiesOf(node, i + 1, ports[count + i], voters, count),
      )
      format(node, java, jars)
      return node
    })
  },
  ready: (node) => awaitReady(node, READY_WITHIN_MS, () => answersApiVersions(node)),
  settings: (nodes) => ({
    RIVULET_KAFKA: `kafka://${nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`,
    RIVULET_KAFKA_REPLICATION: String(nodes.length),
  }),
}

interface Layout {
  readonly folder: string
  readonly java: string
  readonly jars: string
  readonly index: number
  readonly port: number
}

function layOut({ folder, java, jars, index, port }: Layout): EngineNode {
  const name = `kafka-${index + 1}`
  const own = join(folder, name)
  mkdirSync(own, { recursive: true })
  writeFileSync(join(own, 'log4j2.properties'), LOG4J)
  const command = [
    ...[java, '-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    ...[`-Dlog4j2.configurationFile=${join(own, 'log4j2.properties')}`, '-cp', join(jars, '*')],
    ...['kafka.Kafka', join(own, 'server.properties')],
  ]
  return { name, host: HOST, port, folder: own, logFile: join(own, 'server.log'), command }
}

function format(node: EngineNode, java: string, jars: string): void {
  const tool = [
    'kafka.tools.StorageTool',
    'format',
    '-t',
    CLUSTER_ID,
    '-c',
    join(node.folder, 'server.properties'),
  ]
  const { status, stdout, stderr } = spawnSync(java, ['-Xmx128m', '-cp', join(jars, '*'), ...tool], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`${node.name} cannot be formatted:\n${stdout}${stderr}`)
}

/** Three nodes replicate as in production; timeouts are short enough for a drill. */
function propertiesOf(
  { host, port, folder }: EngineNode,
  id: number,
  controllerPort: number,
  voters: string,
  count: 1 | 3,
): string {
  const replicas = count
  const inSync = count === 1 ? 1 : 2
  return `process.roles=broker,controller
node.id=${id}
listeners=PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}
advertised.listeners=PLAINTEXT://${host}:${port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.quorum.voters=${voters}
log.dirs=${join(folder, 'data')}
auto.create.topics.enable=false
num.partitions=3
default.replication.factor=${replicas}
min.insync.replicas=${inSync}
offsets.topic.replication.factor=${replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=${replicas}
transaction.state.log.min.isr=${inSync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=${replicas}
share.coordinator.state.topic.min.isr=${inSync}
share.coordinator.state.topic.num.partitions=1
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
group.consumer.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.segment.bytes=16777216
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.threads=1
num.network.threads=2
num.io.threads=4
`
}

const LOG4J = `status=error
appender.console.type=Console
appender.console.name=stdout
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.stdout.ref=stdout
logger.server.name=kafka.server
logger.server.level=info
`

/** A request ApiVersions v0 with correlation id 7 and no client id. A broker that answers without an error serves clients. */
const API_VERSIONS = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff])

function answersApiVersions({ host, port }: EngineNode): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => socket.write(API_VERSIONS))
    socket.setTimeout(1_000, () => socket.destroy())
    socket.once('data', (answer) => {
      resolve(answer.length >= 10 && answer.readInt32BE(4) === 7 && answer.readInt16BE(8) === 0)
      socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(false))
  })
}
