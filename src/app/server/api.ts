/** Builds the HTTP API: the server, the routes of the domains, the documents, and the metrics. */

import { createHmac } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { createCursorSeal, type CursorSeal } from '../../core/cursor.ts'
import { ACCOUNT_REF_CHARS_MAX, ActingAccount, createAccountRefs } from '../../graph/index.ts'
import { createAccessLog, type AccessLog } from '../../http/access-log.ts'
import { createAuth, serverKeyCheck, type Auth } from '../../http/auth.ts'
import { keyGuard, type Exposure } from '../../http/exposure.ts'
import { frontRoute } from '../../http/front.ts'
import { createIdempotentRequests, type Claims } from '../../http/idempotency.ts'
import { createRateLimits, type Rates } from '../../http/limits.ts'
import { createMetrics, type Metrics } from '../../http/metrics.ts'
import { answerOtherMethods } from '../../http/methods.ts'
import { metricsRoute } from '../../http/metrics-route.ts'
import { describeApi, serveDocs, serveOpenApi } from '../../http/openapi.ts'
import { createOperations, type Operations } from '../../http/operations.ts'
import { createOutbound, type Outbound } from '../../http/outbound.ts'
import type { CallRouter, Router } from '../../http/route.ts'
import { createRouter } from '../../http/router.ts'
import { createServer } from '../../http/server.ts'
import { createStreams, type Streams } from '../../http/streams.ts'
import { systemRoutes } from '../../http/system.ts'
import { createTokens, type Tokens } from '../../http/tokens.ts'
import type { Rivulet } from '../rivulet.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Ephemeral } from '../../ports/ephemeral/ephemeral.ts'
import { describeRivulet, TITLE } from '../api-description.ts'
import type { DemoView } from '../demo/view.ts'
import { frontIndex, frontPage, type FrontOptions } from '../front-page.ts'
import { measureEngine } from './measures.ts'

export interface ApiOptions {
  readonly rivulet: Rivulet
  readonly env: Env
  readonly ephemeral: Ephemeral
  /** Keeps which keyed requests are under way; `ephemeral` by default. */
  readonly claims?: Claims
  /** With `false`, the process serves health, metrics and documents only. */
  readonly isApi?: boolean
  /** The key of the application: creates accounts and tokens, acts for any account. */
  readonly serverKey: string
  /** Signs tokens; at least 32 bytes. A new secret makes all tokens and cursors of account lists invalid. */
  readonly tokenSecret: Uint8Array
  readonly version: string
  readonly rateLimit: 'on' | 'off'
  /** Requests per account and minute; by default those of http/limits.ts. */
  readonly rates?: Rates
  readonly logger: Logger
  readonly tokenTtlMs: number
  /** Origins of web pages that may call the API, compared exactly. */
  readonly corsOrigins: readonly string[]
  /** Why requests cannot be served now; `undefined` when they can. */
  readonly notReady: () => string | undefined
  /** The role of this process, for its start page. */
  readonly role?: string
  /** Who may read the metrics; by default everybody who reaches the port. */
  readonly metricsFor?: Exposure
  /** Serve the metrics from a server of their own, `metricsApp`, and not beside the API. */
  readonly metricsApart?: boolean
  /** Who may see the OpenAPI document and the page that shows it. */
  readonly docsFor?: Exposure
  /** Reads what the start page shows of the demo world, to everybody; by default it shows nothing of it. */
  readonly demo?: (app: FastifyInstance) => Promise<DemoView | undefined>
}

export interface Api {
  readonly app: FastifyInstance
  /** Serves nothing but the metrics; `undefined` unless `metricsApart`. */
  readonly metricsApp: FastifyInstance | undefined
  readonly tokens: Tokens
  readonly metrics: Metrics
  readonly outbound: Outbound
  /** Streams of events that clients have open. */
  readonly streams: Streams
  readonly auth: Auth
  /** The same routes for calls within this process; none unless `isApi`. */
  readonly operations: Operations
}

const API_PREFIX = '/api/v1'

/** Builds the API, ready to `listen`. Close `app` (and `metricsApp`) to end it. */
export async function createApi(options: ApiOptions): Promise<Api> {
  const { rivulet, env, ephemeral, tokenSecret, version, notReady } = options
  const { graph, engine, domains } = rivulet
  const metrics = createMetrics(version)
  const log = createAccessLog(options.logger)
  const { corsOrigins } = options
  const app = createServer({ env, log, metrics, corsOrigins, paramCharsMax: ACCOUNT_REF_CHARS_MAX })
  const answerRest = answerOtherMethods(app)
  const isServerKey = serverKeyCheck(options.serverKey)
  const guardOf = (exposure: Exposure) => (exposure === 'key' ? keyGuard(isServerKey) : undefined)
  const { metricsFor = 'open', docsFor = 'open' } = options
  await describeApi(app, describeRivulet(version))
  if (docsFor !== 'off') await serveDocs(app, { title: TITLE, guard: guardOf(docsFor) })

  const tokens = createTokens({ env, secret: tokenSecret, ttlMs: options.tokenTtlMs })
  const refs = createAccountRefs(graph)
  const auth = createAuth({
    env,
    tokens,
    serverKey: options.serverKey,
    accountById: graph.accounts.byId,
    accountByRef: refs.find,
  })
  const limits = options.rateLimit === 'on' ? createRateLimits(ephemeral, options.rates) : undefined
  const idempotent = createIdempotentRequests(engine.store, options.claims ?? ephemeral)
  const outbound = createOutbound()
  const streams = createStreams({ env, outbound, log })
  // A server waits for answers under way, and those of streams have no end.
  app.addHook('preClose', async () => streams.drain())
  const operations = createOperations({ prefix: API_PREFIX, idempotent, onFault: log.batchFailed })
  const router = both(
    createRouter({
      app,
      prefix: API_PREFIX,
      auth,
      limits,
      idempotent,
      metrics,
      outbound,
      streams,
      log,
      actingSchema: ActingAccount,
    }),
    operations.router,
  )

  if (options.isApi !== false) domainRoutes(options, router, tokens)
  systemRoutes(app, { metrics, version, notReady })
  const metricsApp = options.metricsApart === true ? metricsServer(options, log) : undefined
  if (metricsFor !== 'off') metricsRoute(metricsApp ?? app, metrics, guardOf(metricsFor))
  if (docsFor !== 'off') serveOpenApi(app, guardOf(docsFor))
  const front = frontOptions(options, app)
  frontRoute(app, frontPage(front), frontIndex(front))
  answerRest()
  measureEngine(metrics, rivulet, limits)
  for (const domain of domains) domain.metrics?.(engine.use(domain), metrics)
  app.addHook('onClose', () => log.flush())
  await app.ready()
  await metricsApp?.ready()
  metrics.number(
    'rivulet_http_waiting_bytes',
    'Bytes of answers that clients have not taken yet.',
    () => outbound.waitingBytes,
  )
  return { app, metricsApp, tokens, metrics, outbound, streams, auth, operations }
}

function domainRoutes(
  { rivulet: { engine, domains }, env, tokenSecret }: ApiOptions,
  router: Router,
  tokens: Tokens,
): void {
  const host = { router, env, tokens, listSeal: accountListSeal(tokenSecret), use: engine.use }
  for (const domain of domains) domain.routes?.(engine.use(domain), host)
}

/** Raw routes and streams are for HTTP alone: within the process, programs call the domains' own functions. */
const both = (served: Router, called: CallRouter): Router => ({
  ...served,
  read(route) {
    served.read(route)
    called.read(route)
  },
  write(route) {
    served.write(route)
    called.write(route)
  },
  batch(route) {
    served.batch(route)
    called.batch(route)
  },
})

/** A key derived for these cursors alone: what one key seals is never valid as a token or another kind of cursor. */
const accountListSeal = (secret: Uint8Array): CursorSeal =>
  createCursorSeal(createHmac('sha256', secret).update('cursors of account lists').digest())

/** Has the same limits as the server of the API; its requests are not counted in the metrics. */
const metricsServer = ({ env }: ApiOptions, log: AccessLog): FastifyInstance =>
  createServer({ env, log, corsOrigins: [] })

function frontOptions(options: ApiOptions, app: FastifyInstance): FrontOptions {
  const { version, role = 'all', demo, metricsFor = 'open', docsFor: docs = 'open' } = options
  return {
    version,
    role,
    docs,
    metrics: options.metricsApart === true ? undefined : metricsFor,
    isApi: options.isApi !== false,
    ...(demo !== undefined && { demo: () => demo(app) }),
  }
}
