/** An address answers every method that Node can read: those that it has not with 405, and OPTIONS with those that it has. */

import type { FastifyInstance, HTTPMethods } from 'fastify'
import { METHODS } from 'node:http'
import { RivuletError } from '../core/errors.ts'

/** A tunnel has no address here (wire.ts). */
const ASKED = METHODS.filter((method) => method !== 'CONNECT') as HTTPMethods[]

/**
 * Watches the routes that are added from now on. Calling what it gives adds the other methods to their addresses.
 * They are routes, too, so that `GET /posts/lookup` is not taken for the post named "lookup".
 */
export function answerOtherMethods(app: FastifyInstance): () => void {
  const urls = new Set<string>()
  let isDone = false
  app.addHook('onRoute', ({ url }) => {
    if (!isDone) urls.add(url)
  })
  return () => {
    isDone = true
    for (const method of ASKED) if (!app.supportedMethods.includes(method)) app.addHttpMethod(method)
    for (const url of urls) answerOthers(app, url)
  }
}

function answerOthers(app: FastifyInstance, url: string): void {
  const others = ASKED.filter((method) => !app.hasRoute({ url, method }))
  const allow = ASKED.filter((method) => method === 'OPTIONS' || !others.includes(method)).join(', ')
  app.route({
    method: others,
    url,
    schema: { hide: true },
    // Nobody reads a body here.
    onRequest({ method }, reply, done) {
      reply.header('allow', allow)
      if (method === 'OPTIONS') void reply.code(204).send()
      else done(new RivuletError('method_not_allowed', `this address answers ${allow}`))
    },
    handler: () => undefined,
  })
}
