/**
 * Bearer tokens for accounts: JWTs signed with HMAC-SHA-256 and nothing else (RFC 8725: the algorithm, the
 * type, the issuer and the audience are pinned; none is taken from the token). `sub` is the account's id.
 */

import { SignJWT, jwtVerify } from 'jose'
import { assert, RivuletError } from '../core/errors.ts'
import { parseId } from '../core/ids.ts'
import type { Env } from '../ports/env/env.ts'

const ALGORITHM = 'HS256'
const TYPE = 'rivulet-account+jwt'
const ISSUER = 'rivulet'
const AUDIENCE = 'rivulet-api'
const SECRET_BYTES_MIN = 32
/** A token has about 230 characters; longer text is refused without being verified. */
const TOKEN_CHARS_MAX = 1_024

export interface Minted {
  readonly token: string
  readonly expiresAtMs: number
}

export interface Verified {
  readonly accountId: number
  readonly expiresAtMs: number
}

export interface Tokens {
  /** The same account, time and name give the same token: for a repeated request it is made again, not stored. */
  mint(accountId: number, name: string, atMs: number): Promise<Minted>
  /** Throws `unauthorized`, without saying what is wrong with the token. */
  verify(token: string): Promise<Verified>
}

export interface TokenOptions {
  readonly env: Env
  readonly secret: Uint8Array
  readonly ttlMs: number
}

export const unauthorized = (): RivuletError =>
  new RivuletError('unauthorized', 'send a valid token or the server key as Authorization: Bearer')

export function createTokens({ env, secret, ttlMs }: TokenOptions): Tokens {
  assert(secret.length >= SECRET_BYTES_MIN, `a token secret has at least ${SECRET_BYTES_MIN} bytes`)
  return {
    async mint(accountId, name, atMs) {
      const issuedAt = Math.floor(atMs / 1_000)
      const expiresAt = issuedAt + Math.floor(ttlMs / 1_000)
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(String(accountId))
        .setJti(name)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(secret)
      return { token, expiresAtMs: expiresAt * 1_000 }
    },
    async verify(token) {
      if (token.length > TOKEN_CHARS_MAX) throw unauthorized()
      try {
        const { payload } = await jwtVerify(token, secret, {
          algorithms: [ALGORITHM],
          typ: TYPE,
          issuer: ISSUER,
          audience: AUDIENCE,
          requiredClaims: ['sub', 'iat', 'exp'],
          currentDate: new Date(env.wallMs()),
        })
        return { accountId: parseId(payload.sub ?? ''), expiresAtMs: (payload.exp ?? 0) * 1_000 }
      } catch {
        throw unauthorized()
      }
    },
  }
}
