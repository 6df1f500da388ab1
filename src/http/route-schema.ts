/** Describes routes as schemas of Fastify, of which the OpenAPI document is made. */

import type { TObject, TSchema } from 'typebox'
import Type from 'typebox'
import { ACTING_HEADER } from './auth.ts'
import { IDEMPOTENCY_HEADER } from './idempotency.ts'
import type { Answers, RawRoute, RouteHead, RouteSpec, StreamRoute } from './route.ts'
import { IdempotencyKey, problemResponses, type ProblemKinds } from './schemas.ts'

const ONCE = Type.Optional(IdempotencyKey)
const LAST_EVENT_ID = Type.Optional(
  Type.String({ description: 'The id of the last event that the client got before it connected again.' }),
)

export function routeSchema<B extends TObject, Q extends TObject>(
  spec: RouteSpec<B, Q>,
  keyed: boolean,
  acting: TSchema,
): object {
  const { query, body } = spec
  const headers = {
    ...actingHeader(spec, acting),
    ...(keyed ? { [IDEMPOTENCY_HEADER]: ONCE } : {}),
  }
  return {
    ...headSchema(spec, headers),
    ...(query === undefined ? {} : { querystring: query }),
    ...(body === undefined ? {} : { body }),
    response: {
      ...successes(spec),
      ...problems(spec, { body: spec.method !== 'GET', writes: keyed }),
    },
  }
}

export function rawSchema(route: RawRoute, acting: TSchema): object {
  const { types, takes } = route
  const named = takes
    .filter((name) => name !== 'content-type' && name !== 'authorization')
    .map((name) => [name, Type.Optional(Type.String())])
  const bytes = { schema: { type: 'string', format: 'binary' } }
  const content = (types === 'any' ? ['*/*'] : types).map((type) => [type, bytes])
  return {
    ...headSchema(route, { ...actingHeader(route, acting), ...Object.fromEntries(named) }),
    body: { content: Object.fromEntries(content) },
    response: { ...successes(route), ...problems(route, { body: true }) },
  }
}

export function streamSchema<Q extends TObject>(route: StreamRoute<Q>, acting: TSchema): object {
  const { query, events } = route
  const list = Object.entries(events).map(([name, data]) => `* \`${name}\`: ${data}`)
  const description = `Server-sent events, until the stream ends; then connect again, with \`Last-Event-ID\`.\n\n${list.join('\n')}`
  return {
    ...headSchema(route, { ...actingHeader(route, acting), 'last-event-id': LAST_EVENT_ID }),
    ...(query === undefined ? {} : { querystring: query }),
    response: {
      200: { description, content: { 'text/event-stream': { schema: { type: 'string' } } } },
      ...problems({ ...route, problems: ['shutting_down', ...(route.problems ?? [])] }, {}),
    },
  }
}

function headSchema(spec: RouteHead, headers: Record<string, TSchema>): object {
  const { access, params } = spec
  const server = { server: [] }
  return {
    operationId: spec.name,
    summary: spec.summary,
    ...(spec.description === undefined ? {} : { description: spec.description }),
    tags: [spec.tag],
    security: access === 'public' ? [] : access === 'server' ? [server] : [{ account: [] }, server],
    ...(params === undefined ? {} : { params: Type.Object({ ...params }) }),
    ...(Object.keys(headers).length === 0 ? {} : { headers: Type.Object(headers) }),
  }
}

const actingHeader = ({ access }: RouteHead, acting: TSchema): Record<string, TSchema> =>
  access === 'server' || access === 'public' ? {} : { [ACTING_HEADER]: acting }

function successes({ answers, headers }: Answers): object {
  const described = Object.entries(headers ?? {}).map(([name, description]) => [
    name,
    { type: 'string', description },
  ])
  const more = described.length === 0 ? {} : { headers: Object.fromEntries(described) }
  return Object.fromEntries(
    Object.entries(answers).map(([status, schema]) => [
      status,
      typeof schema === 'string'
        ? { description: schema, $ref: `${schema}#`, ...more }
        : { description: 'Done.', ...schema, ...more },
    ]),
  )
}

function problems({ access, params, problems: codes = [] }: RouteHead, kinds: ProblemKinds): object {
  const isPublic = access === 'public'
  return problemResponses(codes, {
    ...kinds,
    callers: !isPublic,
    public: isPublic,
    params: params !== undefined,
  })
}
