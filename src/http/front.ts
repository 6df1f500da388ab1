/**
 * `GET /`: a start page for people, or the same links as JSON for programs. Everybody who reaches the port can see it,
 * so it must not hold anything confidential.
 */

import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { html, type Html } from './html.ts'
import { LOGO_SVG } from './logo.ts'
import { problemResponses } from './schemas.ts'

export interface FrontPage {
  readonly title: string
  /** CSS, put into the page: it loads no other files. */
  readonly style: string
  /** @param base the address by which the client reaches this server, without a slash at its end */
  body(base: string): Promise<Html>
}

export interface FrontIndex {
  readonly name: string
  readonly version: string
  readonly role: string
  /** Names of resources and their paths. */
  readonly links: Readonly<Record<string, string>>
}

const IndexSchema = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    role: Type.String({ description: 'The role of this process: `all`, `api` or `worker`.' }),
    links: Type.Record(Type.String(), Type.String(), { description: 'Names of resources and their paths.' }),
  },
  { additionalProperties: false },
)

const ICON = `data:image/svg+xml;base64,${Buffer.from(LOGO_SVG).toString('base64')}`

export function frontRoute(app: FastifyInstance, page: FrontPage, index: FrontIndex): void {
  const policy = policyOf(page.style)
  const schema = {
    operationId: 'getIndex',
    summary: 'Start page',
    description: 'A page for people; with `Accept: application/json`, the same links as JSON.',
    tags: ['system'],
    security: [],
    response: {
      200: {
        description: 'The page, or the links as JSON.',
        content: {
          'text/html': { schema: { type: 'string' } },
          'application/json': { schema: IndexSchema },
        },
      },
      ...problemResponses([], {}),
    },
  }
  app.get('/', { schema }, async (request, reply) => {
    reply.header('vary', [reply.getHeader('vary'), 'accept'].filter(Boolean).join(', '))
    if (wantsJson(request.headers.accept))
      return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(index))
    const text = documentOf(page, await page.body(baseOf(request)))
    return reply
      .header('content-security-policy', policy)
      .header('content-type', 'text/html; charset=utf-8')
      .send(text)
  })
}

/** The content security policy: no scripts, nothing from other hosts, and no style but this one. */
function policyOf(style: string): string {
  const hash = createHash('sha256').update(style).digest('base64')
  return `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}

function documentOf({ title, style }: FrontPage, body: Html): string {
  // Must stay exactly the text whose hash is in the policy.
  const styleElement: Html = { html: `<style>${style}</style>` }
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" type="image/svg+xml" href="${ICON}" />
        ${styleElement}
      </head>
      <body>
        ${body}
      </body>
    </html> `.html
}

/** A client that accepts both alike, as browsers and curl do, gets the page. */
function wantsJson(accept = ''): boolean {
  return qualityOf(accept, 'application/json') > qualityOf(accept, 'text/html')
}

/** The quality (0 to 1) that an `Accept` header gives to a type; 0 if it does not name the type. */
function qualityOf(accept: string, type: string): number {
  for (const range of accept.toLowerCase().split(',')) {
    const [name, ...parameters] = range.split(';').map((part) => part.trim())
    if (name !== type) continue
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0
  }
  return 0
}

/**
 * The address by which the client reaches this server. It becomes part of commands that people paste into a shell, so a
 * `Host` that is not a plain host name is replaced by localhost.
 */
function baseOf({ headers, socket }: FastifyRequest): string {
  const { host = '' } = headers
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  const known = /^([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?$/i.test(host)
  return `${scheme}://${known ? host : `localhost:${socket.localPort}`}`
}
