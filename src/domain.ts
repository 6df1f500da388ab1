/**
 * Everything that a domain of one's own is made of, in one place: events, tables, projections and reactors for the
 * engine, routes for the HTTP API, and the domains of the product to build upon. `docs/extending.md` explains it.
 */

export * from './core/codec.ts'
export { notFound, RivuletError } from './core/errors.ts'
export { idTimeMs } from './core/ids.ts'
export { idKey, idKeyDesc, parseIdKeyDesc, parseKey, u32Key } from './core/keys.ts'
export { invalid } from './core/text.ts'
export { parseRfc3339 } from './core/time.ts'
export * from './engine/context.ts'
export * from './engine/domain.ts'
export {
  defineEvent,
  defineNotice,
  defineRequest,
  type Decision,
  type Event,
  type EventType,
  type Idempotency,
} from './engine/events.ts'
export { decided, defineOrder, refuse } from './engine/rows/order.ts'
export { projection, type Effects, type Projection } from './engine/rows/projection.ts'
export type { Rows } from './engine/rows/rows.ts'
export { pagesOf, scanAll } from './engine/rows/scan.ts'
export { defineTable, type TypedTable } from './engine/rows/tables.ts'
export type { View } from './engine/view.ts'
export { feedDomain, mayView, type Feed } from './feed/index.ts'
export { createAccountRefs, graphDomain, isoTime, type Graph } from './graph/index.ts'
export { batchAnswer, batchBody, batchFields } from './http/batch-schemas.ts'
export type { RouteHost, WebDomain } from './http/domain.ts'
export {
  created,
  ok,
  type Answer,
  type BatchRoute,
  type BatchWrite,
  type Call,
  type Router,
} from './http/route.ts'
export { Id, Limit, Nullable, Time } from './http/schemas.ts'
export { idAt } from './http/validation.ts'
export type { ViewSpec } from './ports/views/views.ts'
