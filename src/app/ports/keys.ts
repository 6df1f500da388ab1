/**
 * The keys of a deployment, made at its first start.
 *
 *   secret.key   seals cursors and tokens; without it, those given out before are refused
 *   server.key   with it, the application creates accounts and tokens; a configured key takes its place
 */

import { hkdfSync } from 'node:crypto'
import { RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Notes } from './notes.ts'

export interface Keys {
  readonly cursorSecret: Uint8Array
  readonly tokenSecret: Uint8Array
  readonly serverKey: string
  /** Where the server key is kept; `undefined` when it comes from the configuration. */
  readonly serverKeyPlace: string | undefined
  /** The server key was made just now. */
  readonly isNew: boolean
  /** The secret was made just now: cursors and tokens that another secret sealed are refused. */
  readonly isSecretNew: boolean
}

const SECRET_BYTES = 32
const SERVER_KEY_BYTES = 24

export async function openKeys(notes: Notes, env: Env, configuredKey: string | undefined): Promise<Keys> {
  const secret = await keep(notes, 'secret.key', /^[0-9a-f]{64}$/, () =>
    Buffer.from(env.randomBytes(SECRET_BYTES)).toString('hex'),
  )
  const purpose = (name: string) =>
    new Uint8Array(hkdfSync('sha256', Buffer.from(secret.text, 'hex'), '', `rivulet ${name}`, SECRET_BYTES))
  const [cursorSecret, tokenSecret] = [purpose('cursors'), purpose('tokens')]
  const sealed = { cursorSecret, tokenSecret, isSecretNew: secret.isNew }
  if (configuredKey !== undefined) {
    return { ...sealed, serverKey: configuredKey, serverKeyPlace: undefined, isNew: false }
  }
  const name = 'server.key'
  const key = await keep(
    notes,
    name,
    /^[\x21-\x7e]{16,256}$/,
    () => `rvk_${Buffer.from(env.randomBytes(SERVER_KEY_BYTES)).toString('base64url')}`,
  )
  return { ...sealed, serverKey: key.text, serverKeyPlace: notes.placeOf(name), isNew: key.isNew }
}

/** Reads a key, or makes and keeps it. A damaged key is not replaced: cursors and tokens under it may be in use. */
async function keep(notes: Notes, name: string, form: RegExp, make: () => string) {
  const kept = await notes.keep(name, make)
  if (form.test(kept.text)) return kept
  const message = `${notes.placeOf(name)} is damaged; restore it from a backup, or delete it to have a new one made (what the old one sealed is then refused)`
  throw new RivuletError('data_corrupt', message)
}
