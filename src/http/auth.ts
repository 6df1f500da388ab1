/**
 * Identifies the caller of a request: an account by its bearer token, or the application by the server key. The
 * application acts for itself or, with the header `Rivulet-Account`, for one account. Verified tokens are cached until
 * they expire.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { LRUCache } from 'lru-cache'
import { assert, RivuletError } from '../core/errors.ts'
import { invalid } from '../core/text.ts'
import type { Env } from '../ports/env/env.ts'
import { unauthorized, type Tokens } from './tokens.ts'

/** The part of an account that HTTP needs; the accounts that domains supply have more. */
export interface Actor {
  readonly id: number
  readonly number: number
}

export interface Caller {
  /** The account for which the request acts; `undefined` when the application acts for itself, and in public routes. */
  readonly account: Actor | undefined
  /** The caller showed the server key. */
  readonly application: boolean
}

/**
 * Who may call a route. `server`: only the application itself; `account`: an account, or the application acting for
 * one; `authenticated`: any of them; `public`: everybody. The token or key of a public request is not looked at.
 */
export type Access = 'server' | 'account' | 'authenticated' | 'public'
/** The access of routes whose caller is known. */
export type CallerAccess = Exclude<Access, 'public'>

export interface AuthOptions {
  readonly env: Env
  readonly tokens: Tokens
  readonly serverKey: string
  /** The account behind a decimal id. */
  readonly accountById: (id: number) => Promise<Actor | undefined>
  /** The account that `Rivulet-Account` names; throws an error that names `path` for text that is no reference. */
  readonly accountByRef: (ref: string, path: string) => Promise<Actor | undefined>
}

export interface Auth {
  /** The caller of a cached token, without a promise; `undefined` when `identify` must be called. */
  known(request: FastifyRequest): Caller | undefined
  /**
   * Verifies the token or key of a request. Throws `unauthorized`; `forbidden` for a token with `Rivulet-Account`; and
   * for a `Rivulet-Account` that names no account, `not_found` or `invalid_request`.
   */
  identify(request: FastifyRequest): Promise<Caller>
  /**
   * The application as the caller, for calls within this process that need no key: for itself, or acting for the
   * account that a reference names, as in `Rivulet-Account`.
   */
  application(acting: string | undefined): Promise<Caller>
}

const KNOWN_MAX = 50_000
const APPLICATION: Caller = { account: undefined, application: true }
/** The caller of a public route, whoever it is. */
export const NOBODY: Caller = { account: undefined, application: false }
export const ACTING_HEADER = 'rivulet-account'
const ACTING_PATH = `header.${ACTING_HEADER}`

/** Compares hashes, so that the time it takes reveals neither the key's length nor how much of it matched. */
export function serverKeyCheck(serverKey: string): (key: string) => boolean {
  const hash = hashOf(serverKey)
  return (key) => timingSafeEqual(hashOf(key), hash)
}

export function createAuth(options: AuthOptions): Auth {
  const { env, tokens, accountById, accountByRef } = options
  assert(options.serverKey.length > 0, 'the server key is not empty')
  const isServerKey = serverKeyCheck(options.serverKey)
  // Keyed by the raw header, so that a hit needs no parsing.
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
        throw new RivuletError(
          'forbidden',
          'Rivulet-Account needs the server key; a token acts for its own account: leave the header out',
        )
      return caller
    },
  }
}

/** Throws unless `caller` may call a route with this access. */
export function checkAccess(caller: Caller, access: Access): void {
  if (access === 'server' && (!caller.application || caller.account !== undefined)) {
    throw new RivuletError('forbidden', 'this route needs the server key, without Rivulet-Account')
  }
  if (access === 'account' && caller.account === undefined) {
    throw invalid(ACTING_PATH, 'must name the account to act for')
  }
}

/**
 * The text of a header. Many clients can send only ASCII in headers, so other characters are percent-encoded UTF-8, as
 * in an address. Unencoded UTF-8, which Node gives as one character per byte, is understood, too.
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

/** Only the id and the number are cached: they never change, while other fields of an account may. */
const actorOf = ({ id, number }: Actor): Actor => ({ id, number })

const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()
