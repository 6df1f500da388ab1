/** Where Prometheus reads the numbers: beside the API, or on a port of their own. */

import type { FastifyInstance } from 'fastify'
import type { Guard } from './exposure.ts'
import type { Metrics } from './metrics.ts'
import { probe } from './probe.ts'
import { problemResponses } from './schemas.ts'

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** @param guard lets through who may read them; without one, everybody */
export function metricsRoute(app: FastifyInstance, metrics: Metrics, guard: Guard | undefined): void {
  const schema = {
    tags: ['system'],
    security: guard === undefined ? [] : [{ server: [] }],
    operationId: 'getMetrics',
    summary: 'Numbers for Prometheus',
    response: {
      200: { description: 'Text.', content: { 'text/plain': { schema: { type: 'string' } } } },
      ...problemResponses(guard === undefined ? [] : ['unauthorized'], {}),
    },
  }
  const onRequest = [probe(metrics, '/metrics'), ...(guard === undefined ? [] : [guard])]
  app.get('/metrics', { schema, onRequest }, async (_request, reply) =>
    reply.header('content-type', METRICS_TYPE).send(await metrics.text()),
  )
}
