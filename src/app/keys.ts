/**
 * The keys of a data folder, made at its first start and readable for its owner alone.
 *
 *   secret.key   what cursors and tokens are sealed with: without it, those given out before are refused
 *   server.key   what the application shows to create accounts; a key from the configuration goes before it
 */

import { hkdfSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RivuletError } from '../core/errors.ts'
import type { Env } from '../ports/env/env.ts'
import { writeFileDurably } from './durable-file.ts'

export interface FolderKeys {
  readonly cursorSecret: Uint8Array
  readonly tokenSecret: Uint8Array
  readonly serverKey: string
  /** Where the server key is kept; nothing when it comes from the configuration. */
  readonly serverKeyFile: string | undefined
  /** The server key was made just now. */
  readonly isNew: boolean
}

const SECRET_BYTES = 32
const SERVER_KEY_BYTES = 24

export async function openKeys(
  folder: string,
  env: Env,
  configuredKey: string | undefined,
): Promise<FolderKeys> {
  const secret = await keep(join(folder, 'secret.key'), /^[0-9a-f]{64}$/, () =>
    Buffer.from(env.randomBytes(SECRET_BYTES)).toString('hex'),
  )
  const purpose = (name: string) =>
    new Uint8Array(hkdfSync('sha256', Buffer.from(secret.text, 'hex'), '', `rivulet ${name}`, SECRET_BYTES))
  const sealed = { cursorSecret: purpose('cursors'), tokenSecret: purpose('tokens') }
  if (configuredKey !== undefined) {
    return { ...sealed, serverKey: configuredKey, serverKeyFile: undefined, isNew: false }
  }
  const path = join(folder, 'server.key')
  const key = await keep(
    path,
    /^[\x21-\x7e]{16,256}$/,
    () => `rvk_${Buffer.from(env.randomBytes(SERVER_KEY_BYTES)).toString('base64url')}`,
  )
  return { ...sealed, serverKey: key.text, serverKeyFile: path, isNew: key.isNew }
}

/** Reads a key, or makes it and keeps it. A damaged one is not replaced: others may hold what it sealed. */
async function keep(
  path: string,
  form: RegExp,
  make: () => string,
): Promise<{ text: string; isNew: boolean }> {
  const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new RivuletError('disk_error', `${path} cannot be read (${error.message}); check its rights`, {
      cause: error,
    })
  })
  if (content === undefined) {
    const text = make()
    await writeFileDurably(path, `${text}\n`)
    return { text, isNew: true }
  }
  const text = content.trim()
  if (form.test(text)) return { text, isNew: false }
  const message = `${path} is damaged; restore it from a backup, or delete it to have a new one made (what the old one sealed is then refused)`
  throw new RivuletError('data_corrupt', message)
}
