/** The OpenAPI 3.1 document, made from the routes themselves, and the page that shows it. */

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import type { Guard } from './exposure.ts'
import { LOGO_SVG, LOGO_WITH_NAME_SVG } from './logo.ts'
import { ProblemSchema, problemResponses } from './schemas.ts'

/** Nothing is loaded from other hosts. It does not ask for TLS, so that the page works on one's own machine, too. */
const PAGE_POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; " +
  "object-src 'none'; style-src 'self' 'unsafe-inline'"

export interface OpenApiOptions {
  readonly title: string
  readonly version: string
  readonly description: string
  /** Where bearer tokens of accounts come from. */
  readonly tokens: string
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  /** Shared schemas, by the names by which routes refer to them. */
  readonly schemas: Readonly<Record<string, object>>
}

/** The page that shows the document. */
export interface OpenApiPage {
  readonly title: string
  /** Decides who may see the page; without one, everybody may. */
  readonly guard: Guard | undefined
}

/** Call before the first route. */
export async function describeApi(app: FastifyInstance, options: OpenApiOptions): Promise<void> {
  const { title, version, description, tokens, tags, schemas } = options
  for (const [name, schema] of Object.entries({ Problem: ProblemSchema, ...schemas }))
    app.addSchema({ ...schema, $id: name })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
      // Relative, so that it holds behind any proxy.
      servers: [{ url: '/' }],
      tags: tags.map((tag) => ({ ...tag })),
      components: {
        securitySchemes: {
          account: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: tokens,
          },
          server: {
            type: 'http',
            scheme: 'bearer',
            description:
              'The server key of the application. `Rivulet-Account` names the account that it acts for.',
          },
        },
      },
    },
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? `shape-${i}`) },
  })
}

/** Hides the field for the address of another document, which the policy would keep from loading. */
const PAGE_STYLE = '.swagger-ui .topbar .download-url-wrapper { display: none }'

/** Serves the page at `/docs`. Call before other methods are added to its addresses (methods.ts). */
export async function serveDocs(app: FastifyInstance, { title, guard }: OpenApiPage): Promise<void> {
  await app.register(async (scope) => {
    // A hook of the scope, because the page's own hooks would not guard its scripts and styles.
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
      // By default, the page sends the document to a validator on the internet.
      uiConfig: { deepLinking: true, persistAuthorization: false, validatorUrl: null },
    })
  })
}

/** Serves the document at `/openapi.json`. Call after the last route. */
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
