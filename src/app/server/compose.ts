/** Starts a whole Rivulet, from its ports to its HTTP API. It is closed in the opposite order. */

import type { FastifyInstance } from 'fastify'
import { RivuletError } from '../../core/errors.ts'
import { createRivulet, type Rivulet } from '../rivulet.ts'
import type { Env } from '../../ports/env/env.ts'
import { createMemoryEphemeral } from '../../ports/ephemeral/memory.ts'
import { createApi, type Api } from './api.ts'
import { createClaims } from './claims.ts'
import { drainServer } from './drain.ts'
import { createClosers } from '../closers.ts'
import { demoView } from '../demo/view.ts'
import { unfinishedImports } from '../import/run.ts'
import { openKeys, type Keys } from '../ports/keys.ts'
import { openPorts } from '../ports/open.ts'
import type { OpenPorts } from '../ports/parts.ts'
import { watchReadiness } from './readiness.ts'
import type { Notes } from '../ports/notes.ts'
import { MIB, type Config } from '../config/settings.ts'
import type { Logger } from '../telemetry.ts'

export interface ComposeOptions {
  readonly env: Env
  readonly config: Config
  readonly version: string
  readonly logger: Logger
  /** Called when nothing can be trusted any more (a disk error, a broken invariant): end the process now. */
  readonly onFatal: (error: unknown) => void
  /** Runs after the ports are opened and before the engine starts: for data that must be written without it. */
  readonly prepare?: (ports: OpenPorts) => Promise<void>
  /** Ports that the caller opened, and closes; by default they are opened as the configuration says. */
  readonly ports?: OpenPorts
  /** The start page shows the demo world, if it is loaded, and the token of its guest. */
  readonly showsDemo?: boolean
}

export interface Composed extends Pick<Api, 'app' | 'auth' | 'operations'> {
  readonly rivulet: Rivulet
  /** Where the data is, for people: the folder, or the engines. */
  readonly place: string
  readonly notes: Notes
  readonly keys: Keys
  /** Listens at the configured address, unless another one is given. */
  listen(at?: Address): Promise<Listening>
  /** Listens at the address of the metrics; resolves with `undefined` when they have none of their own. */
  listenForMetrics(): Promise<Listening | undefined>
  /** Answers requests under way, for a limited time; then stops the engine and closes the ports. */
  close(): Promise<void>
}

export type Address = Pick<Config, 'host' | 'port'>

export interface Listening {
  /** The address as this machine reaches it. */
  readonly url: string
  readonly port: number
}

export function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

const HOUR_MS = 3_600_000

export async function compose(options: ComposeOptions): Promise<Composed> {
  const { env, config, logger, onFatal } = options
  const closers = createClosers()
  const onNotice = (text: string) => logger.warn(text)
  try {
    // `prepare` writes without the engine, so no other process may work on the deployment meanwhile.
    const isShared = isSharedBy(config) && options.prepare === undefined
    const opening = { env, config, onFatal, onNotice, waitsForLease: true, isShared, keepsTimelines: true }
    const ports = options.ports ?? closers.add(await openPorts(opening))
    await options.prepare?.(ports)
    const keys = await openKeys(ports.notes, env, config.serverKey)
    warnOfLostSecret(keys, ports, logger)
    const rivulet = createRivulet(ports, {
      secret: keys.cursorSecret,
      postCacheBytesMax: config.postCacheMib * MIB,
      onFatal,
      onNotice,
      ...(ports.gate !== undefined && { shared: { role: config.role, gate: ports.gate } }),
    })
    closers.add({ close: () => rivulet.stop() })
    await rivulet.start()
    await warnOfUnfinished(ports, logger)
    if (config.role !== 'worker') rivulet.feed.warmer.run().catch(onFatal)
    const { notReady: readiness } = closers.add(watchReadiness(env, ports, rivulet.engine.refusal))
    const { drain, metricsApp, ...api } = await openApi(options, rivulet, { keys, ports, readiness }, closers)
    return {
      rivulet,
      ...api,
      keys,
      place: ports.place,
      notes: ports.notes,
      listen: ({ host, port } = config) => listenAt(api.app, { host, port }),
      async listenForMetrics() {
        if (metricsApp === undefined || config.metricsPort === undefined) return undefined
        return listenAt(metricsApp, { host: config.metricsHost ?? config.host, port: config.metricsPort })
      },
      async close() {
        await drain().finally(() => closers.close())
      },
    }
  } catch (error) {
    await closers.close().catch(() => undefined)
    throw error
  }
}

/** A server key from an earlier start without the secret means that the secret was lost: both are made together. */
function warnOfLostSecret(
  { isSecretNew, isNew, serverKeyPlace }: Keys,
  { notes }: OpenPorts,
  logger: Logger,
) {
  if (!isSecretNew || isNew || serverKeyPlace === undefined) return
  const place = notes.placeOf('secret.key')
  logger.warn(
    `${place} was missing, and a new one was made: tokens and cursors given out before are refused; restore it from a backup, or give out new tokens`,
  )
}

/**
 * Whether several processes may share the deployment: only when all of it is on engines. A process with timelines in
 * its own memory must be the only one.
 */
function isSharedBy({ kafka, redis, role }: Config): boolean {
  const isShared = kafka !== undefined && redis !== undefined
  if (isShared || role === 'all') return isShared
  const message = `the role ${role} needs a deployment on engines: set RIVULET_KAFKA, RIVULET_CASSANDRA and RIVULET_REDIS, or leave out RIVULET_ROLE`
  throw new RivuletError('config_invalid', message)
}

/** Connections that the system queues until they are accepted: after a start, very many come at once. */
const BACKLOG = 4_096

async function listenAt(app: FastifyInstance, { host, port }: Address): Promise<Listening> {
  await app.listen({ host, port, backlog: BACKLOG })
  const address = app.server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  return { url: urlOf(host, taken), port: taken }
}

interface ApiParts {
  readonly keys: Keys
  readonly ports: OpenPorts
  readonly readiness: () => string | undefined
}

async function openApi(
  { env, config, logger, version, showsDemo = false }: ComposeOptions,
  rivulet: Rivulet,
  { keys, ports, readiness }: ApiParts,
  closers: ReturnType<typeof createClosers>,
) {
  let isGoing = false
  const memory = createMemoryEphemeral({ env })
  const isApi = config.role !== 'worker'
  const { notes } = ports
  const { serverKey } = keys
  const { app, metricsApp, outbound, streams, metrics, auth, operations } = await createApi({
    rivulet,
    env,
    ephemeral: ports.ephemeral,
    // A process that serves a deployment alone keeps claims in memory, so that they do not depend on Redis.
    claims: ports.gate === undefined ? memory : createClaims(ports.ephemeral, memory),
    isApi,
    role: config.role,
    metricsFor: config.metrics,
    metricsApart: config.metricsPort !== undefined && config.metrics !== 'off',
    docsFor: config.docs,
    ...(showsDemo && isApi && { demo: (app) => demoView({ app, notes, serverKey }) }),
    serverKey,
    tokenSecret: keys.tokenSecret,
    version,
    rateLimit: config.rateLimit,
    rates: { read: config.readsPerMinute, write: config.writesPerMinute },
    logger,
    tokenTtlMs: config.tokenTtlHours * HOUR_MS,
    corsOrigins: config.corsOrigins,
    notReady: () => (isGoing ? 'the process is shutting down' : readiness()),
  })
  for (const { name, help, read, kind } of ports.figures) metrics.number(name, help, read, kind)
  closers.add({ close: async () => app.close() })
  if (metricsApp !== undefined) closers.add({ close: async () => metricsApp.close() })
  async function drain(): Promise<void> {
    isGoing = true
    await drainServer(env, app, outbound, streams)
  }
  return { app, metricsApp, auth, operations, drain }
}

/** After a partial import, feeds are right, but counts of followers may be too high. */
async function warnOfUnfinished(ports: OpenPorts, logger: Logger): Promise<void> {
  for (const name of await unfinishedImports(ports.store)) {
    logger.warn(
      `the import of ${name} was interrupted and is incomplete: stop this server and run the import again`,
    )
  }
}
