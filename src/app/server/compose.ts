/**
 * A whole Rivulet, from its ports to its HTTP API. Opened in order, closed in the opposite order.
 */

import type { FastifyInstance } from 'fastify'
import { RivuletError } from '../../core/errors.ts'
import { createRivulet, type Rivulet } from '../rivulet.ts'
import type { Env } from '../../ports/env/env.ts'
import { createMemoryEphemeral } from '../../ports/ephemeral/memory.ts'
import type { Outbound } from '../../http/outbound.ts'
import { createApi, type Api } from './api.ts'
import { createClaims } from './claims.ts'
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
  /** Nothing can be trusted any more (a disk error, a broken invariant): end the process, now. */
  readonly onFatal: (error: unknown) => void
  /** Runs once the ports are open and before the engine is: for what must be written without it. */
  readonly prepare?: (ports: OpenPorts) => Promise<void>
  /** Opened by the caller, who closes them, too; else they are as the configuration says. */
  readonly ports?: OpenPorts
  /** The page at the address shows the demo world, where it is there, and the token of its guest. */
  readonly showsDemo?: boolean
}

export interface Composed extends Pick<Api, 'app' | 'auth' | 'operations'> {
  readonly rivulet: Rivulet
  readonly place: string
  readonly notes: Notes
  readonly keys: Keys
  /** At the configured address, unless it is told another one. */
  listen(at?: Address): Promise<Listening>
  /** At the configured address of the metrics; nothing where they have none of their own. */
  listenForMetrics(): Promise<Listening | undefined>
  /** Answers what was asked, for a while; then ends the engine and gives the folder back. */
  close(): Promise<void>
}

export type Address = Pick<Config, 'host' | 'port'>

export interface Listening {
  /** As this machine reaches it. */
  readonly url: string
  readonly port: number
}

export function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

const HOUR_MS = 3_600_000
const DRAIN_MS = 10_000
const SWEEP_MS = 50

export async function compose(options: ComposeOptions): Promise<Composed> {
  const { env, config, logger, onFatal } = options
  const closers = createClosers()
  const onNotice = (text: string) => logger.warn(text)
  try {
    // What must be written without the engine must be written alone.
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

/** Where the server key stands from before, the secret did, too. */
function warnOfLostSecret(
  { isSecretNew, isNew, serverKeyPlace }: Keys,
  { notes }: OpenPorts,
  logger: Logger,
) {
  if (!isSecretNew || isNew || serverKeyPlace === undefined) return
  const place = notes.placeOf('secret.key')
  logger.warn(`${place} was gone, and another one was made: tokens and cursors given out before are refused`)
}

/**
 * Processes share a deployment where all of it is on engines. With timelines in its own memory, one process must be
 * the only one.
 */
function isSharedBy({ kafka, redis, role }: Config): boolean {
  const isShared = kafka !== undefined && redis !== undefined
  if (isShared || role === 'all') return isShared
  const message = `the role ${role} is for a deployment on engines: set RIVULET_KAFKA, RIVULET_CASSANDRA and RIVULET_REDIS, or leave out RIVULET_ROLE`
  throw new RivuletError('config_invalid', message)
}

/** Connections that the system holds until they are accepted: after a start very many come at once. It may hold fewer. */
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
  const { app, metricsApp, outbound, metrics, auth, operations } = await createApi({
    rivulet,
    env,
    ephemeral: ports.ephemeral,
    // Where one process serves a deployment, what is under way is known here, whatever becomes of Redis.
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
    notReady: () => (isGoing ? 'about to go' : readiness()),
  })
  for (const { name, help, read, kind } of ports.figures) metrics.number(name, help, read, kind)
  closers.add({ close: async () => app.close() })
  if (metricsApp !== undefined) closers.add({ close: async () => metricsApp.close() })
  async function drain(): Promise<void> {
    isGoing = true
    await drainServer(env, app, outbound)
  }
  return { app, metricsApp, auth, operations, drain }
}

/**
 * No new requests; those under way have a while, then their connections are cut. A connection that was busy
 * at first is closed as soon as it has its answer: kept alive, it would be waited for.
 */
async function drainServer(env: Env, app: FastifyInstance, outbound: Outbound): Promise<void> {
  let sweep: { cancel(): void } | undefined
  function closeIdle(): void {
    app.server.closeIdleConnections()
    sweep = env.timer(SWEEP_MS, closeIdle)
  }
  let cutAll = () => {}
  const isCut = new Promise<void>((resolve) => (cutAll = resolve))
  const cut = env.timer(DRAIN_MS, () => {
    app.server.closeAllConnections()
    cutAll()
  })
  // A connection counts as idle once its answer is handed over, read or not: those that wait go first.
  await Promise.race([outbound.idle(), isCut])
  closeIdle()
  await app.close().finally(() => {
    cut.cancel()
    sweep?.cancel()
  })
}

/** Feeds are right after a part of an import; counts of followers may be ahead of it. */
async function warnOfUnfinished(ports: OpenPorts, logger: Logger): Promise<void> {
  for (const name of await unfinishedImports(ports.store)) {
    logger.warn(`the import of ${name} was interrupted; run it again to complete it`)
  }
}
