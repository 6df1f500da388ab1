/** A hook for routes that machines ask every few seconds: requests are counted, but leave no line in the log. */

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from './metrics.ts'

export function probe(metrics: Metrics, url: string) {
  const stats = metrics.route('GET', url, false)
  return (request: FastifyRequest, _reply: FastifyReply, done: () => void): void => {
    request.stats = stats
    done()
  }
}
