/**
 * What stands at the address itself: a page for people, and for programs that ask for JSON an index of the same. Open
 * to whoever reaches the port, so it holds nothing that is not.
 */

import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { html, type Html } from './html.ts'
import { LOGO_SVG } from './logo.ts'
import { problemResponses } from './schemas.ts'

export interface FrontPage {
  readonly title: string
  /** CSS, inline: the page asks for nothing else. */
  readonly style: string
  /** @param base the address under which the asker knows this server, without a slash at its end */
  body(base: string): Promise<Html>
}

export interface FrontIndex {
  readonly name: string
  readonly version: string
  readonly role: string
  /** Paths by what they lead to. */
  readonly links: Readonly<Record<string, string>>
}

const IndexSchema = Type.Object(
  {
    name: Type.String(),
    version: Type.String(),
    role: Type.String({ description: 'What this process does.' }),
    links: Type.Record(Type.String(), Type.String(), { description: 'Paths by what they lead to.' }),
  },
  { additionalProperties: false },
)

const ICON = `data:image/svg+xml;base64,${Buffer.from(LOGO_SVG).toString('base64')}`

export function frontRoute(app: FastifyInstance, page: FrontPage, index: FrontIndex): void {
  const policy = policyOf(page.style)
  const schema = {
    operationId: 'getIndex',
    summary: 'What this is, and where to go from here',
    description: 'A page for people; with `Accept: application/json`, the same links as JSON.',
    tags: ['system'],
    security: [],
    response: {
      200: {
        description: 'The page, or the index.',
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

/** No scripts, nothing from elsewhere, and no style but this one. */
function policyOf(style: string): string {
  const hash = createHash('sha256').update(style).digest('base64')
  return `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
}

function documentOf({ title, style }: FrontPage, body: Html): string {
  // To the letter what its hash in the policy is of.
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

/** Whoever takes both alike, as browsers and curl do, is a person. */
function wantsJson(accept = ''): boolean {
  return qualityOf(accept, 'application/json') > qualityOf(accept, 'text/html')
}

/** How much a type is wanted, from 0 to 1, where it is named. */
function qualityOf(accept: string, type: string): number {
  for (const range of accept.toLowerCase().split(',')) {
    const [name, ...parameters] = range.split(';').map((part) => part.trim())
    if (name !== type) continue
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    return quality === undefined ? 1 : Number(quality.slice(2)) || 0
  }
  return 0
}

/** What the asker typed; commands on the page are pasted into a shell, so nothing else than a host may stand there. */
function baseOf({ headers, socket }: FastifyRequest): string {
  const { host = '' } = headers
  const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'
  const known = /^([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?$/i.test(host)
  return `${scheme}://${known ? host : `localhost:${socket.localPort}`}`
}
