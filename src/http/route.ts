/**
 * Routes as data: who may call, the input, the answers. Domains define theirs on a `Router`; router.ts serves them over
 * HTTP, operations.ts within the process, and route-schema.ts describes them in the OpenAPI document.
 */

import Type, { type Static, type TObject, type TSchema } from 'typebox'
import type { ErrorCode, RivuletError } from '../core/errors.ts'
import { invalid } from '../core/text.ts'
import type { Idempotency } from '../engine/events.ts'
import type { Access, Caller, CallerAccess } from './auth.ts'

import type { EventStream } from './event-stream.ts'
import type { Attempt } from './idempotency.ts'
import { validatorOf, type Validator } from './validation.ts'

export type Maybe<T> = T | Promise<T>

/** What all kinds of routes have. */
export interface RouteHead {
  /** Below the prefix of the API; `:name` is a parameter. */
  readonly path: string
  /** The operation's name in the document, in generated clients and in the library. */
  readonly name: string
  readonly summary: string
  readonly description?: string
  readonly tag: string
  readonly access: Access
  readonly params?: Readonly<Record<string, TSchema>>
  readonly problems?: readonly ErrorCode[]
  /** Requests that a caller may send to this route per minute. Without it, they count with the caller's others. */
  readonly perMinute?: number
}

/** An answer that is not JSON, with schemas by media type. */
export interface OtherAnswer {
  readonly description: string
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>
}

/** The answers of a route. */
export interface Answers {
  /** Schemas by status; a string names a shared one. `Type.Null()` stands for an answer without a body. */
  readonly answers: Readonly<Record<number, string | TSchema | OtherAnswer>>
  /** Headers that an answer may have, by names in lower case, and what each says. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface RouteSpec<B extends TObject, Q extends TObject> extends RouteHead, Answers {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly query?: Q
  readonly body?: B
  /** What a body may have, if more than others: bytes, and values of its JSON. */
  readonly bodyMax?: { readonly bytes: number; readonly values: number }
}

export interface Call<B, Q> {
  readonly caller: Caller
  readonly params: Readonly<Record<string, string>>
  readonly query: Q
  readonly body: B
}

export interface Answer {
  readonly status: number
  /** An object that is sent as JSON, or bytes: JSON, or what the header `content-type` says. */
  readonly body?: object | Buffer
  /** Only headers that the route declares. A call within the process does not get them. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface ReadRoute<B extends TObject, Q extends TObject> extends RouteSpec<B, Q> {
  answer(call: Call<Static<B>, Static<Q>>): Maybe<Answer>
}

/** Has a known caller, because idempotency keys belong to callers. */
export interface WriteRoute<B extends TObject, Q extends TObject> extends RouteSpec<B, Q> {
  readonly access: CallerAccess
  run(call: Call<Static<B>, Static<Q>>, once: Idempotency | undefined): Promise<Answer>
  /** Makes the answer again, with its headers, of a request that became this event. */
  replay(call: Call<Static<B>, Static<Q>>, eventId: number): Promise<Answer>
}

export interface BatchRoute<I extends TObject> extends Omit<RouteHead, 'access'> {
  /** Made by `batchBody` of `item`. */
  readonly body: TObject
  readonly item: I
  /** The shared schema of the answer, made by `batchAnswer`. */
  readonly answer: string
  /**
   * Looks up what valid items name, for all of them together. @returns for each item how to carry it out, or why that
   * is refused. Paths in errors are relative to the item.
   */
  prepare(items: readonly Static<I>[]): Promise<readonly (BatchWrite | RivuletError)[]>
}

/** An item, as the request to a single route that it stands for. */
export interface BatchWrite extends Attempt<Answer> {
  /** The number of the account that acts; 0 for the application itself. */
  readonly scope: number
  readonly method: string
  /** With its parameters, such as `/accounts/:id/follow`. */
  readonly path: string
  readonly params?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly key: string | undefined
  /** Writes with the same one are carried out one after the other. Others are under way together. */
  readonly turn?: string
}

/** A route whose handler gets the exact bytes of the body: for callbacks with a signature over them. */
export interface RawRoute extends RouteHead, Answers {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Accepted types of a body, without parameters, such as `application/json`; `any` accepts all, and none. */
  readonly types: readonly string[] | 'any'
  readonly bodyBytesMax: number
  /** Headers of the request that the handler gets, by names in lower case. */
  readonly takes: readonly string[]
  answer(call: RawCall): Maybe<Answer>
}

export interface RawCall {
  readonly caller: Caller
  readonly params: Readonly<Record<string, string>>
  /** Path and query as they were sent, percent-encoded. */
  readonly target: string
  /** The headers that the route takes, if they were sent. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

/** A route that answers with events as they happen (server-sent events). */
export interface StreamRoute<Q extends TObject> extends RouteHead {
  readonly access: CallerAccess
  readonly query?: Q
  /** Names of events, and what their data is. */
  readonly events: Readonly<Record<string, string>>
  /**
   * Begins to send events. The stream opens with the first event, or when this returns; an error that is thrown before
   * refuses the request. The stream stays open afterwards; `stream.signal` tells when it has ended.
   */
  open(call: Call<never, Static<Q>>, stream: EventStream): Maybe<void>
}

/** Takes the routes that can be called within the process, too. */
export interface CallRouter {
  batch<I extends TObject>(route: BatchRoute<I>): void
  read<B extends TObject, Q extends TObject>(route: ReadRoute<B, Q>): void
  write<B extends TObject, Q extends TObject>(route: WriteRoute<B, Q>): void
}

export interface Router extends CallRouter {
  raw(route: RawRoute): void
  stream<Q extends TObject>(route: StreamRoute<Q>): void
}

/** Path and parameters as one address. A parameter is percent-encoded but for its colons (`ext:ada`). */
export const pathTo = (path: string, params: Readonly<Record<string, string>> = {}): string =>
  path.replace(/:(\w+)/g, (_part, name: string) => encoded(params[name], `params.${name}`))

function encoded(param: unknown, path: string): string {
  if (typeof param !== 'string' || !param.isWellFormed()) throw invalid(path, 'must be a well-formed string')
  return encodeURIComponent(param).replaceAll('%3A', ':')
}

export const ok = (body: object | Buffer, headers?: Answer['headers']): Answer => answerOf(200, body, headers)
export const created = (body: object | Buffer, headers?: Answer['headers']): Answer =>
  answerOf(201, body, headers)

const answerOf = (status: number, body: object | Buffer, headers: Answer['headers']): Answer =>
  headers === undefined ? { status, body } : { status, body, headers }

/** The parts of a request, not validated yet. */
export interface UncheckedCall {
  readonly caller: Caller | undefined
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

/** @returns validates a request and gives its typed parts; throws `invalid_request` */
export function callReader<B extends TObject, Q extends TObject>({
  query,
  body,
}: Pick<RouteSpec<B, Q>, 'query' | 'body'>) {
  const queryOf = validatorOf(query ?? NO_QUERY, 'query') as Validator<Static<Q>>
  const bodyOf: Validator<Static<B>> = body === undefined ? noBody : validatorOf(body, 'body')
  return (request: UncheckedCall): Call<Static<B>, Static<Q>> => ({
    caller: request.caller as Caller,
    params: request.params as Readonly<Record<string, string>>,
    query: queryOf(request.query),
    body: bodyOf(request.body),
  })
}

const NO_QUERY = Type.Object({}, { additionalProperties: false })

function noBody(body: unknown): never {
  const isEmpty =
    body === undefined || (typeof body === 'object' && body !== null && Object.keys(body).length === 0)
  if (!isEmpty) throw invalid('', 'must be empty: this route takes no body')
  return undefined as never
}
