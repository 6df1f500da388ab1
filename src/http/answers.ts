/**
 * Sends the answers of handlers, with the headers that their routes declare. Only headers that HTTP can carry are sent,
 * so that text from a request, such as an address to redirect to, cannot add a header or a body of its own.
 */

import type { FastifyReply } from 'fastify'
import { assert, RivuletError } from '../core/errors.ts'
import type { AccessLog } from './access-log.ts'
import type { Outbound } from './outbound.ts'
import type { Answer, Answers } from './route.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const NAME = /^[a-z][a-z0-9-]*$/
/** Visible ASCII, spaces and tabs. Other text must be encoded as its header wants it, in an address by percents. */
const VALUE = /^[\t -~]*$/
/** Headers that Node, this layer or CORS set. */
const RESERVED =
  /^(connection|content-length|date|keep-alive|trailer|transfer-encoding|upgrade|x-request-id|access-control-.*)$/

export interface SenderParts {
  readonly outbound: Outbound
  readonly log: AccessLog
}

export type Sender = (reply: FastifyReply, answer: Answer) => void

/**
 * @param changes whether handlers of the route may have changed something. If so, a header that HTTP cannot carry is
 * left out and logged, because a refusal would say that nothing was done; else the request is refused.
 */
export function senderOf({ outbound, log }: SenderParts, { headers }: Answers, changes: boolean): Sender {
  const declared = new Set(Object.keys(headers ?? {}))
  for (const name of declared) assert(NAME.test(name) && !RESERVED.test(name), `${name} may be declared`)

  function sendHead(reply: FastifyReply, given: Readonly<Record<string, string>>): void {
    const sent: string[] = []
    for (const [name, value] of Object.entries(given)) {
      const fault = faultOf(declared, name, value)
      if (fault !== undefined) log.withheld(reply.request, name, fault)
      else {
        reply.header(name, name === 'vary' ? joined(reply.getHeader(name), value) : value)
        sent.push(name)
      }
    }
    // Without this, pages of other origins could not read them.
    const exposed = reply.getHeader('access-control-expose-headers')
    if (exposed !== undefined) reply.header('access-control-expose-headers', joined(exposed, sent.join(', ')))
  }

  return (reply, { status, body, headers: given }) => {
    reply.code(status).header('content-type', JSON_TYPE)
    if (given !== undefined) {
      const refusal = changes ? undefined : refusalOf(given)
      if (refusal !== undefined) return void reply.send(refusal)
      sendHead(reply, given)
    }
    if (body === undefined) return void reply.removeHeader('content-type').send()
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
    reply.request.sent = bytes
    void reply.send(bytes)
    outbound.sent(reply.raw, bytes.length)
  }
}

function refusalOf(given: Readonly<Record<string, string>>): RivuletError | undefined {
  for (const [name, value] of Object.entries(given))
    if (!VALUE.test(value))
      return new RivuletError(
        'invalid_request',
        `the answer would need characters in its header ${name} that HTTP does not allow there, such as line breaks; leave them out of the request`,
      )
  return undefined
}

function faultOf(declared: ReadonlySet<string>, name: string, value: string): string | undefined {
  if (!declared.has(name)) return 'its route does not declare it'
  return VALUE.test(value) ? undefined : 'HTTP does not allow some of its characters'
}

const joined = (before: unknown, more: string): string =>
  [before, more].filter((text) => text !== undefined && text !== '').join(', ')
