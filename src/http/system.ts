/** Probes for health and readiness, open to everybody who reaches the port. */

import type { FastifyInstance } from 'fastify'
import Type from 'typebox'
import { RivuletError } from '../core/errors.ts'
import type { Metrics } from './metrics.ts'
import { probe } from './probe.ts'
import { problemResponses } from './schemas.ts'

export interface SystemOptions {
  readonly metrics: Metrics
  readonly version: string
  /** Why requests cannot be served now; `undefined` when they can. */
  readonly notReady: () => string | undefined
}

const RETRY_READY_MS = 1_000

const status = (...values: string[]) =>
  Type.Object(
    { status: Type.Enum(values), version: Type.String() },
    { additionalProperties: false, description: 'The state and the version.' },
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
        summary: 'Whether the process answers',
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
        summary: 'Whether the process serves requests: it reaches the log and the store',
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
