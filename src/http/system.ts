/** What operators and their machines ask: alive, ready. Open to whoever reaches the port. */

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { RivuletError } from '../core/errors.ts'
import type { Metrics } from './metrics.ts'
import { probe } from './probe.ts'
import { problemResponses } from './schemas.ts'

export interface SystemOptions {
  readonly metrics: Metrics
  readonly version: string
  /** Nothing when requests can be taken; else why not. */
  readonly notReady: () => string | undefined
}

const RETRY_READY_MS = 1_000

const status = (...values: string[]) =>
  Type.Object(
    { status: Type.Enum(values), version: Type.String() },
    { additionalProperties: false, description: 'Done.' },
  )

export function systemRoutes(app: FastifyInstance, { metrics, version, notReady }: SystemOptions): void {
  const common = { tags: ['system'], security: [] }
  app.get(
    '/healthz',
    {
      onRequest: probe(metrics, '/healthz'),
      schema: {
        ...common,
        operationId: 'getHealth',
        summary: 'The process answers',
        response: { 200: status('ok'), ...problemResponses([], {}) },
      },
    },
    (_request, reply) => reply.send({ status: 'ok', version }),
  )
  app.get(
    '/readyz',
    {
      onRequest: probe(metrics, '/readyz'),
      schema: {
        ...common,
        operationId: 'getReadiness',
        summary: 'The log and the store can be reached, and requests are taken',
        response: { 200: status('ready'), ...problemResponses(['unavailable'], {}) },
      },
    },
    (_request, reply) => {
      const reason = notReady()
      if (reason === undefined) return reply.send({ status: 'ready', version })
      throw new RivuletError('unavailable', reason, { retryAfterMs: RETRY_READY_MS })
    },
  )
}
