/**
 * Who is calling: an account by its token, or the application by the server key, alone or (with
 * `Rivulet-Account`) for one account. Tokens that were verified are remembered until they expire.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { assert, RivuletError } from '../core/errors.ts'
import { invalid } from '../core/text.ts'
import type { Env } from '../ports/env/env.ts'
import { unauthorized, type Tokens } from './tokens.ts'

/** An account as HTTP knows it; domains bring their own. */
export interface Actor {
  readonly id: number
  readonly number: number
}

export interface Caller {
  /** For whom the request acts; `undefined` is the application itself. */
  readonly account: Actor | undefined
  /** Holds the server key. */
  readonly application: boolean
}

/** Who may call a route: the application itself, an account (or the application for it), or whoever is known. */
export type Access = 'server' | 'account' | 'authenticated'

export interface AuthOptions {
  readonly env: Env
  readonly tokens: Tokens
  readonly serverKey: string
  /** The account behind a decimal id. */
  readonly accountById: (id: number) => Promise<Actor | undefined>
  /** The account behind `<id>` or `ext:<external id>`; throws for what is neither, naming `path`. */
  readonly accountByRef: (ref: string, path: string) => Promise<Actor | undefined>
}

export interface Auth {
  /** Without a promise for a token that is known; `undefined` when `identify` must be asked. */
  known(request: FastifyRequest): Caller | undefined
  /** Throws `unauthorized` and, for a header that names nobody, `not_found` or `invalid_request`. */
  identify(request: FastifyRequest): Promise<Caller>
  /** Holds the server key as it is: the application, alone or acting for `<id>` or `ext:<external id>`. */
  application(acting: string | undefined): Promise<Caller>
}

const KNOWN_MAX = 50_000
const APPLICATION: Caller = { account: undefined, application: true }
export const ACTING_HEADER = 'rivulet-account'
const ACTING_PATH = `header.${ACTING_HEADER}`

/** Hashing both makes the comparison say nothing about lengths or common beginnings. */
export function serverKeyCheck(serverKey: string): (key: string) => boolean {
  const hash = hashOf(serverKey)
  return (key) => timingSafeEqual(hashOf(key), hash)
}

export function createAuth(options: AuthOptions): Auth {
  const { env, tokens, accountById, accountByRef } = options
  assert(options.serverKey.length > 0, 'the server key is not empty')
  const isServerKey = serverKeyCheck(options.serverKey)
  // Keyed by the whole header: it lies in memory only as long as it would in any open request.
  const known = new LRUCache<string, { caller: Caller; expiresAtMs: number }>({ max: KNOWN_MAX })

  async function application(acting: string | undefined): Promise<Caller> {
    if (acting === undefined) return APPLICATION
    const account = await accountByRef(acting, ACTING_PATH)
    if (account !== undefined) return { account: actorOf(account), application: true }
    throw new RivuletError('not_found', 'the account to act for does not exist', {
      errors: [{ path: ACTING_PATH, message: 'no such account' }],
    })
  }

  async function byToken(header: string, token: string): Promise<Caller> {
    const { accountId, expiresAtMs } = await tokens.verify(token)
    const account = await accountById(accountId)
    if (account === undefined) throw unauthorized()
    const caller: Caller = { account: actorOf(account), application: false }
    known.set(header, { caller, expiresAtMs })
    return caller
  }

  return {
    application,
    known({ headers }) {
      const { authorization } = headers
      if (authorization === undefined || headers[ACTING_HEADER] !== undefined) return undefined
      const found = known.get(authorization)
      if (found === undefined || found.expiresAtMs > env.wallMs()) return found?.caller
      known.delete(authorization)
      return undefined
    },
    async identify({ headers }) {
      const header = headers.authorization ?? ''
      const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(header) ?? []
      if (token === undefined) throw unauthorized()
      const acting = headers[ACTING_HEADER]
      if (isServerKey(token)) return application(typeof acting === 'string' ? textOf(acting) : undefined)
      const caller = await byToken(header, token)
      if (acting !== undefined)
        throw new RivuletError('forbidden', 'only the server key acts for an account by name')
      return caller
    },
  }
}

/** Throws unless `caller` may use a route at all. */
export function checkAccess(caller: Caller, access: Access): void {
  if (access === 'server' && (!caller.application || caller.account !== undefined)) {
    throw new RivuletError('forbidden', 'this is for the server key, acting for nobody')
  }
  if (access === 'account' && caller.account === undefined) {
    throw invalid(ACTING_PATH, 'must name the account to act for')
  }
}

/**
 * Headers come as bytes, one a character, and many clients send none but ASCII: what is no ASCII is percent-encoded
 * UTF-8, as in an address. Bare UTF-8 is understood, too.
 */
function textOf(header: string): string {
  if (/^[ -$&-~]*$/.test(header)) return header
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'latin1'))
    return decodeURIComponent(text)
  } catch {
    throw invalid(ACTING_PATH, 'must be percent-encoded UTF-8, where a percent sign is %25')
  }
}

/** Only what is needed: a cached account may change, its id and number do not. */
const actorOf = ({ id, number }: Actor): Actor => ({ id, number })

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()
