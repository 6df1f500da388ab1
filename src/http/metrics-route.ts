/** `GET /metrics` for Prometheus, beside the API or on a port of its own. */

import type { FastifyInstance } from 'fastify'
import type { Guard } from './exposure.ts'
import type { Metrics } from './metrics.ts'
import { probe } from './probe.ts'
import { problemResponses } from './schemas.ts'

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** @param guard decides who may read the metrics; without one, everybody may */
export function metricsRoute(app: FastifyInstance, metrics: Metrics, guard: Guard | undefined): void {
  const schema = {
    tags: ['system'],
    security: guard === undefined ? [] : [{ server: [] }],
    operationId: 'getMetrics',
    summary: 'Metrics for Prometheus',
    response: {
      200: {
        description: 'Metrics in the text format of Prometheus.',
        content: { 'text/plain': { schema: { type: 'string' } } },
      },
      ...problemResponses(guard === undefined ? [] : ['unauthorized'], {}),
    },
  }
  const onRequest = [probe(metrics, '/metrics'), ...(guard === undefined ? [] : [guard])]
  app.get('/metrics', { schema, onRequest }, async (_request, reply) =>
    reply.header('content-type', METRICS_TYPE).send(await metrics.text()),
  )
}
