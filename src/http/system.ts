/** What operators and their machines ask: alive, ready, numbers. Open to whoever reaches the port. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { RivuletError } from '../core/errors.ts'
import type { Metrics } from './metrics.ts'
import { problemResponses } from './schemas.ts'

export interface SystemOptions {
  readonly metrics: Metrics
  readonly version: string
  /** Nothing when requests can be taken; else why not. */
  readonly notReady: () => string | undefined
}

const RETRY_READY_MS = 1_000
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const status = (...values: string[]) =>
  Type.Object(
    { status: Type.Enum(values), version: Type.String() },
    { additionalProperties: false, description: 'Done.' },
  )

export function systemRoutes(app: FastifyInstance, { metrics, version, notReady }: SystemOptions): void {
  const common = { tags: ['system'], security: [] }
  /** Asked every few seconds, for ever: counted, and not logged. */
  function probe(url: string) {
    const stats = metrics.route('GET', url, false)
    return (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
      request.stats = stats
      done()
    }
  }
  app.get(
    '/healthz',
    {
      onRequest: probe('/healthz'),
      schema: {
        ...common,
        operationId: 'getHealth',
        summary: 'The process answers',
        response: { 200: status('ok') },
      },
    },
    (_request, reply) => reply.send({ status: 'ok', version }),
  )
  app.get(
    '/readyz',
    {
      onRequest: probe('/readyz'),
      schema: {
        ...common,
        operationId: 'getReadiness',
        summary: 'The log and the store can be reached, and requests are taken',
        response: { 200: status('ready'), 503: problemResponses(['unavailable'], {})[503] },
      },
    },
    (_request, reply) => {
      const reason = notReady()
      if (reason === undefined) return reply.send({ status: 'ready', version })
      throw new RivuletError('unavailable', reason, { retryAfterMs: RETRY_READY_MS })
    },
  )
  app.get(
    '/metrics',
    {
      onRequest: probe('/metrics'),
      schema: {
        ...common,
        operationId: 'getMetrics',
        summary: 'Numbers for Prometheus',
        response: {
          200: { description: 'Text.', content: { 'text/plain': { schema: { type: 'string' } } } },
        },
      },
    },
    async (_request, reply) => reply.header('content-type', METRICS_TYPE).send(await metrics.text()),
  )
}
