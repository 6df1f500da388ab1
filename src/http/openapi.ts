/** The OpenAPI 3.1 document, made from the routes themselves, and the page that shows it. */

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import type { Guard } from './exposure.ts'
import { LOGO_SVG, LOGO_WITH_NAME_SVG } from './logo.ts'
import { ProblemSchema, problemResponses } from './schemas.ts'

/** Nothing from elsewhere; works without TLS on a machine of one's own, too. */
const PAGE_POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; " +
  "object-src 'none'; style-src 'self' 'unsafe-inline'"

export interface OpenApiOptions {
  readonly title: string
  readonly version: string
  readonly description: string
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  /** Named shapes that routes refer to. */
  readonly schemas: Readonly<Record<string, object>>
}

/** Where and to whom the document is shown. */
export interface OpenApiPage {
  readonly title: string
  /** Lets through who may see it; without one, everybody. */
  readonly guard: Guard | undefined
}

/** Call before the first route. */
export async function describeApi(app: FastifyInstance, options: OpenApiOptions): Promise<void> {
  const { title, version, description, tags, schemas } = options
  for (const [name, schema] of Object.entries({ Problem: ProblemSchema, ...schemas }))
    app.addSchema({ ...schema, $id: name })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      // Relative: right behind any proxy.
      servers: [{ url: '/' }],
      tags: tags.map((tag) => ({ ...tag })),
      components: {
        securitySchemes: {
          account: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'A token from `POST /api/v1/tokens`.',
          },
          server: {
            type: 'http',
            scheme: 'bearer',
            description: 'The server key of the application; `Rivulet-Account` names whom it acts for.',
          },
        },
      },
    },
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? `shape-${i}`) },
  })
}

/** A box for the addresses of other documents, which the policy keeps from being loaded. */
const PAGE_STYLE = '.swagger-ui .topbar .download-url-wrapper { display: none }'

/** The page that shows the document. Call before the routes that may refuse other methods. */
export async function serveDocs(app: FastifyInstance, { title, guard }: OpenApiPage): Promise<void> {
  await app.register(async (scope) => {
    // The page's own hooks leave out its scripts and styles.
    if (guard !== undefined) scope.addHook('onRequest', guard)
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      logo: { type: 'image/svg+xml', content: LOGO_WITH_NAME_SVG },
      theme: {
        title,
        favicon: [
          { filename: 'logo.svg', rel: 'icon', type: 'image/svg+xml', sizes: 'any', content: LOGO_SVG },
        ],
        css: [{ filename: 'rivulet.css', content: PAGE_STYLE }],
      },
      // The default sends the document to a service on the internet to have it checked.
      uiConfig: { deepLinking: true, persistAuthorization: false, validatorUrl: null },
    })
  })
}

/** Call after the last route. */
export function serveOpenApi(app: FastifyInstance, guard: Guard | undefined): void {
  let text: Buffer | undefined
  const schema = {
    operationId: 'getOpenApi',
    summary: 'This document',
    tags: ['system'],
    security: guard === undefined ? [] : [{ server: [] }],
    response: {
      200: { description: 'OpenAPI 3.1.', type: 'object' },
      ...problemResponses(guard === undefined ? [] : ['unauthorized'], {}),
    },
  }
  app.get(
    '/openapi.json',
    { schema, ...(guard !== undefined && { onRequest: guard }) },
    (_request, reply) => {
      text ??= Buffer.from(JSON.stringify(app.swagger()))
      return reply.header('content-type', 'application/json; charset=utf-8').send(text)
    },
  )
}
