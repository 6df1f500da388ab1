/** Starts Apache Cassandra from its jars: one node, or three on 127.0.0.1 to 127.0.0.3, with small heaps and caches. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Client, policies } from 'cassandra-driver'
import type { EngineDefinition } from './engine.ts'
import { jarsOf, javaOf } from './install.ts'
import { awaitReady, freePorts, type EngineNode } from './processes.ts'

const CASSANDRA = { name: 'cassandra-5.0.9', coordinates: ['org.apache.cassandra:cassandra-all:5.0.9'] }
const READY_WITHIN_MS = 180_000
/** Even thirds of the ring: fixed, so that three empty nodes can start together. */
const TOKENS = ['-9223372036854775808', '-3074457345618258603', '3074457345618258602']

export const cassandra: EngineDefinition = {
  name: 'cassandra',
  async prepare(folder, count, report) {
    const java = await javaOf(report)
    const jars = await jarsOf(CASSANDRA, report)
    const hosts = Array.from({ length: count }, (_, i) => `127.0.0.${i + 1}`)
    const [nativePort, storagePort] = await freePorts(2, hosts)
    const jmxPorts = await freePorts(count)
    return hosts.map((host, i) => {
      const name = `cassandra-${i + 1}`
      const own = join(folder, name)
      mkdirSync(own, { recursive: true })
      const token = count === 1 ? undefined : TOKENS[i]
      writeFileSync(
        join(own, 'cassandra.yaml'),
        yamlOf({ host, own, nativePort, storagePort, token, seeds: hosts.join(',') }),
      )
      writeFileSync(join(own, 'logback.xml'), LOGBACK)
      return {
        name,
        host,
        port: nativePort,
        folder: own,
        logFile: join(own, 'server.log'),
        command: commandOf({ java, jars, own, jmxPort: jmxPorts[i] }),
        environment: { MALLOC_ARENA_MAX: '2' },
      }
    })
  },
  ready: (node) => awaitReady(node, READY_WITHIN_MS, () => answersOptions(node)),
  // Until all nodes know each other, Cassandra refuses replication factors above the number of known nodes.
  async join(nodes) {
    for (const node of nodes)
      await awaitReady(node, READY_WITHIN_MS, async () => (await peersOf(node)) === nodes.length - 1)
  },
  settings: (nodes) => ({
    RIVULET_CASSANDRA: `cassandra://${nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`,
    RIVULET_CASSANDRA_REPLICATION: String(nodes.length),
  }),
}

interface Yaml {
  readonly host: string
  readonly own: string
  readonly nativePort: number
  readonly storagePort: number
  readonly token: string | undefined
  readonly seeds: string
}

const yamlOf = ({ host, own, nativePort, storagePort, token, seeds }: Yaml): string => `cluster_name: rivulet
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
${token === undefined ? 'num_tokens: 4\nallocate_tokens_for_local_replication_factor: 3' : `num_tokens: 1\ninitial_token: ${token}`}
auto_bootstrap: false
listen_address: ${host}
rpc_address: ${host}
storage_port: ${storagePort}
native_transport_port: ${nativePort}
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{ seeds: "${seeds}" }]
data_file_directories: [ ${own}/data ]
commitlog_directory: ${own}/commitlog
saved_caches_directory: ${own}/saved_caches
hints_directory: ${own}/hints
cdc_raw_directory: ${own}/cdc
commitlog_sync: periodic
commitlog_sync_period: 10000ms
commitlog_segment_size: 8MiB
commitlog_total_space: 64MiB
disk_failure_policy: die
commit_failure_policy: die
concurrent_reads: 8
concurrent_writes: 16
concurrent_counter_writes: 4
concurrent_compactors: 1
memtable_heap_space: 48MiB
memtable_offheap_space: 48MiB
memtable_allocation_type: heap_buffers
file_cache_size: 32MiB
key_cache_size: 4MiB
row_cache_size: 0MiB
counter_cache_size: 2MiB
networking_cache_size: 16MiB
native_transport_max_threads: 32
auto_snapshot: false
hinted_handoff_enabled: true
paxos_variant: v2
`

interface Command {
  readonly java: string
  readonly jars: string
  readonly own: string
  readonly jmxPort: number
}

function commandOf({ java, jars, own, jmxPort }: Command): string[] {
  const agent = readdirSync(jars).find((name) => name.startsWith('jamm-'))
  const system = {
    'jdk.attach.allowAttachSelf': 'true',
    'io.netty.tryReflectionSetAccessible': 'true',
    'cassandra.config': `file://${own}/cassandra.yaml`,
    'logback.configurationFile': `file://${own}/logback.xml`,
    'cassandra.storagedir': own,
    'cassandra.logdir': own,
    'cassandra-foreground': 'yes',
    'java.io.tmpdir': own,
    'cassandra.skip_wait_for_gossip_to_settle': '0',
    'cassandra.ring_delay_ms': '2000',
    'cassandra.superuser_setup_delay_ms': '0',
    'cassandra.jmx.local.port': String(jmxPort),
  }
  return [
    ...[java, '-Xms256m', '-Xmx512m', '-Xss384k', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    ...['-XX:-UsePerfData', '-XX:MaxDirectMemorySize=128m', '-XX:+ExitOnOutOfMemoryError'],
    ...MODULES.flatMap(([flag, names]) => names.flatMap((name) => [flag, `${name}=ALL-UNNAMED`])),
    `-javaagent:${join(jars, String(agent))}`,
    ...Object.entries(system).map(([name, value]) => `-D${name}=${value}`),
    ...['-cp', join(jars, '*'), 'org.apache.cassandra.service.CassandraDaemon'],
  ]
}

/** The internals of Java 17 that Cassandra needs access to, as in the options file that comes with it. */
const MODULES: readonly (readonly [string, readonly string[]])[] = [
  [
    '--add-exports',
    [
      'java.base/jdk.internal.misc',
      'java.management.rmi/com.sun.jmx.remote.internal.rmi',
      'java.rmi/sun.rmi.registry',
      'java.rmi/sun.rmi.server',
      'java.sql/java.sql',
      'java.base/java.lang.ref',
      'jdk.unsupported/sun.misc',
      'jdk.compiler/com.sun.tools.javac.file',
      'jdk.attach/sun.tools.attach',
    ],
  ],
  [
    '--add-opens',
    [
      'java.base/java.lang.module',
      'java.base/jdk.internal.loader',
      'java.base/jdk.internal.ref',
      'java.base/jdk.internal.reflect',
      'java.base/jdk.internal.math',
      'java.base/jdk.internal.module',
      'java.base/jdk.internal.util.jar',
      'java.base/sun.nio.ch',
      'java.base/java.io',
      'java.base/java.lang.reflect',
      'java.base/java.lang',
      'java.base/java.util',
      'jdk.management/com.sun.management.internal',
      'jdk.compiler/com.sun.tools.javac',
    ],
  ],
]

const LOGBACK = `<configuration>
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date %level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="STDOUT"/></root>
</configuration>
`

/** A request of the native protocol, version 5: OPTIONS. A node that serves clients answers it with SUPPORTED. */
const OPTIONS = Buffer.from([5, 0, 0, 0, 5, 0, 0, 0, 0])
const SUPPORTED = 6
const OPERATION_BYTE = 4

function answersOptions({ host, port }: EngineNode): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => socket.write(OPTIONS))
    socket.setTimeout(1_000, () => socket.destroy())
    socket.once('data', (answer) => {
      resolve(answer[OPERATION_BYTE] === SUPPORTED)
      socket.destroy()
    })
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(false))
  })
}

/** Number of other nodes whose addresses this one knows, so that it can pass them to clients; -1 if it does not answer. */
async function peersOf({ host, port }: EngineNode): Promise<number> {
  const address = `${host}:${port}`
  const client = new Client({
    contactPoints: [address],
    protocolOptions: { port },
    policies: {
      loadBalancing: new policies.loadBalancing.AllowListPolicy(
        new policies.loadBalancing.RoundRobinPolicy(),
        [address],
      ),
    },
  })
  try {
    const { rows } = await client.execute('SELECT rpc_address, data_center, tokens FROM system.peers')
    return rows.filter(({ rpc_address, data_center, tokens }) => rpc_address && data_center && tokens).length
  } catch {
    return -1
  } finally {
    await client.shutdown().catch(() => undefined)
  }
}
