/** Makes every address answer every method: 405 for one that it does not have, 204 with `Allow` for OPTIONS. */

import type { FastifyInstance, HTTPMethods } from 'fastify'
import { METHODS } from 'node:http'
import { RivuletError } from '../core/errors.ts'

/** CONNECT asks for a tunnel and has no address; wire.ts refuses it. */
const ASKED = METHODS.filter((method) => method !== 'CONNECT') as HTTPMethods[]

/**
 * Collects the addresses of all routes that are added from now on.
 * @returns adds the other methods to those addresses, to be called after the last route. They become routes of their
 * own, because else GET at `/things/lookup`, which takes POST only, would be taken for the thing named "lookup"
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
    // Answered before a body is read.
    onRequest({ method }, reply, done) {
      reply.header('allow', allow)
      if (method === 'OPTIONS') void reply.code(204).send()
      else
        done(
          new RivuletError('method_not_allowed', `this address does not have this method; it has ${allow}`),
        )
    },
    handler: () => undefined,
  })
}
