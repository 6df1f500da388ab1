/** A listening server with the routes of a test's own domain, and clients that read, wait, stop or vanish. */

import { get, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import pino from 'pino'
import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { vi } from 'vitest'
import type { Idempotency } from '../../src/engine/events.ts'
import { idempotencyTable, requestKey } from '../../src/engine/rows/idempotency.ts'
import { createAccessLog } from '../../src/http/access-log.ts'
import { createAuth } from '../../src/http/auth.ts'
import { createIdempotentRequests } from '../../src/http/idempotency.ts'
import { createRateLimits, type Rates } from '../../src/http/limits.ts'
import { answerOtherMethods } from '../../src/http/methods.ts'
import { createMetrics, type Metrics } from '../../src/http/metrics.ts'
import { describeApi } from '../../src/http/openapi.ts'
import { createOutbound, type Outbound } from '../../src/http/outbound.ts'
import type { Router } from '../../src/http/route.ts'
import { createRouter } from '../../src/http/router.ts'
import { createServer } from '../../src/http/server.ts'
import { createStreams, type Streams, type StreamsOptions } from '../../src/http/streams.ts'
import { unauthorized, type Tokens } from '../../src/http/tokens.ts'
import { createMemoryEphemeral } from '../../src/ports/ephemeral/memory.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createSimulatedEnv, type SimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'

export const KEY = 'server-key-of-the-domain'
/** The token of an account, which is also its id and its number. */
export const tokenOf = (account: number) => `account-${account}`

export interface Domain {
  readonly app: FastifyInstance
  readonly url: string
  readonly port: number
  readonly metrics: Metrics
  readonly outbound: Outbound
  readonly streams: Streams
  /** Drives heartbeats, the life of streams, and the buckets of rate limits. */
  readonly clock: SimulatedEnv
  /** Lines of the log, parsed. */
  readonly logged: Record<string, unknown>[]
  /** Writes the row that makes a keyed request known as a repeat. */
  remember(once: Idempotency | undefined, eventId: number): Promise<void>
  listen(path: string, as?: string, headers?: Record<string, string>): Promise<Listener>
  /** Sends text on a connection of its own. */
  dial(text: string, closesAfterwards?: boolean): Dialled
  close(): Promise<void>
}

export interface DomainOptions {
  readonly rates?: Rates
  readonly bounds?: Partial<StreamsOptions>
  readonly corsOrigins?: readonly string[]
  /** Tokens are verified once this resolves. */
  readonly verifying?: Promise<void>
}

export async function createDomain(
  define: (router: Router, domain: Pick<Domain, 'remember'>) => void,
  { rates, bounds, corsOrigins = [], verifying }: DomainOptions = {},
): Promise<Domain> {
  const env = createRealEnv()
  const clock = createSimulatedEnv({ seed: 1, startMs: 1_700_000_000_000 })
  const logged: Record<string, unknown>[] = []
  const output = new Writable({
    write(line: Buffer, _encoding, done) {
      logged.push(JSON.parse(line.toString()) as Record<string, unknown>)
      done()
    },
  })
  const log = createAccessLog(pino({ level: 'info' }, output))
  const metrics = createMetrics('test')
  const app = createServer({ env, log, metrics, corsOrigins })
  const answerRest = answerOtherMethods(app)
  const tags = [{ name: 'tests', description: 'Of tests.' }]
  await describeApi(app, { title: 'T', version: '1', description: '', tokens: '', tags, schemas: {} })
  const outbound = createOutbound()
  const streams = createStreams({ env: clock, outbound, log }, bounds)
  app.addHook('preClose', async () => streams.drain())
  const ephemeral = createMemoryEphemeral({ env: clock })
  const store = createMemoryStore({ env })
  const accountById = async (id: number) => ({ id, number: id })
  const router = createRouter({
    app,
    prefix: '/api/v1',
    auth: createAuth({
      env,
      tokens: { ...tokens, verify: (token) => Promise.resolve(verifying).then(() => tokens.verify(token)) },
      serverKey: KEY,
      accountById,
      accountByRef: (ref) => accountById(Number(ref)),
    }),
    limits: rates === undefined ? undefined : createRateLimits(ephemeral, rates),
    idempotent: createIdempotentRequests(store, ephemeral),
    metrics,
    outbound,
    streams,
    log,
    actingSchema: Type.Optional(Type.String()),
  })
  const remember: Domain['remember'] = async (once, eventId) => {
    if (once === undefined) return
    const row = { hash: once.hash, eventId, answer: undefined, logKey: 0 }
    await store.write([idempotencyTable.row(requestKey(once), 1, row)])
  }
  define(router, { remember })
  answerRest()
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const port = Number(new URL(url).port)
  return {
    app,
    url,
    port,
    metrics,
    outbound,
    streams,
    clock,
    logged,
    remember,
    listen: (path, as = tokenOf(1), headers = {}) =>
      listenTo(`${url}/api/v1${path}`, { authorization: `Bearer ${as}`, ...headers }),
    dial: (text, closesAfterwards = false) => dial(port, text, closesAfterwards),
    async close() {
      await app.close()
      await store.close()
    },
  }
}

const tokens: Tokens = {
  mint: () => Promise.reject(new Error('not needed')),
  async verify(token) {
    const [, account] = /^account-(\d+)$/.exec(token) ?? []
    if (account === undefined) throw unauthorized()
    return { accountId: Number(account), expiresAtMs: Infinity }
  },
}

/** A client of a stream. */
export interface Listener {
  readonly answer: IncomingMessage
  readonly text: string
  readonly hasEnded: boolean
  /** Resolves when the text has this part; throws when the answer ends without it. */
  sees(part: string): Promise<void>
  ended(): Promise<void>
  /** Stops to read, for good. */
  stall(): void
  vanish(): void
}

function listenTo(url: string, headers: Record<string, string>): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { headers, agent: false })
    asked.on('error', reject)
    asked.on('response', (answer) => {
      let text = ''
      let hasEnded = false
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('close', () => (hasEnded = true)).on('error', () => undefined)
      const until = (isSo: () => boolean) =>
        vi.waitFor(
          () => {
            if (!isSo()) throw new Error(`not so: ${text.slice(-200)}`)
          },
          { timeout: 20_000, interval: 5 },
        )
      resolve({
        answer,
        get text() {
          return text
        },
        get hasEnded() {
          return hasEnded
        },
        sees: (part) => until(() => text.includes(part)),
        ended: () => until(() => hasEnded),
        stall() {
          answer.removeAllListeners('data').pause()
          answer.socket.pause()
        },
        vanish: () => void asked.destroy(),
      })
    })
  })
}

export interface Dialled {
  readonly socket: Socket
  readonly text: string
  /** Everything that came, once the connection is closed. */
  closed(): Promise<string>
  sees(part: string): Promise<void>
}

function dial(port: number, sent: string, closesAfterwards: boolean): Dialled {
  let text = ''
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  if (closesAfterwards) socket.end(sent, 'latin1')
  else socket.write(sent, 'latin1')
  socket.setEncoding('utf8').on('data', (part: string) => (text += part))
  socket.on('error', () => undefined)
  // The other half is closed in answer to the server's.
  socket.on('end', () => socket.end())
  const closing = new Promise<string>((resolve) => socket.on('close', () => resolve(text)))
  return {
    socket,
    get text() {
      return text
    },
    closed: () => closing,
    sees: (part) =>
      vi.waitFor(
        () => {
          if (!text.includes(part)) throw new Error(`not so: ${text.slice(-200)}`)
        },
        { timeout: 20_000, interval: 5 },
      ),
  }
}

/** The head of a request, and its end. */
export const request = (method: string, path: string, ...headers: readonly string[]): string =>
  [`${method} /api/v1${path} HTTP/1.1`, 'host: x', ...headers, '', ''].join('\r\n')
