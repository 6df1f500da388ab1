/** Who may see metrics and API documents: everybody (`open`), callers with the server key (`key`), nobody (`off`). */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from './problems.ts'
import { unauthorized } from './tokens.ts'

export const EXPOSURES = ['open', 'key', 'off'] as const
export type Exposure = (typeof EXPOSURES)[number]

export type Guard = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void

/**
 * Lets requests with the server key through. Programs send it as a bearer token; a browser asks for it, as the password
 * of any user name.
 */
export function keyGuard(isServerKey: (key: string) => boolean): Guard {
  return (request, reply, done) => {
    const key = keyIn(request.headers.authorization)
    if (key !== undefined && isServerKey(key)) return done()
    reply.header('www-authenticate', 'Basic realm="rivulet", charset="UTF-8", Bearer realm="rivulet"')
    sendProblem(reply, unauthorized())
  }
}

function keyIn(header = ''): string | undefined {
  const [, scheme, value] = /^(Bearer|Basic) +([\x21-\x7e]+)$/i.exec(header) ?? []
  if (scheme?.toLowerCase() !== 'basic') return value
  const pair = Buffer.from(value, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : pair.slice(colon + 1)
}
