/**
 * Cursors: opaque, authenticated text. What is inside was sealed by this deployment for one purpose; anything
 * else is refused. Format: base64url(payload ‖ first 12 bytes of HMAC-SHA-256(payload)).
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { decode, encode, type Codec } from './codec.ts'
import { RivuletError } from './errors.ts'

const TAG_BYTES = 12
const CURSOR_CHARS_MAX = 4_096

export interface CursorSeal {
  seal<T>(codec: Codec<T>, value: T): string
  /** Throws `invalid_cursor` for what was not sealed here. */
  open<T>(codec: Codec<T>, text: string): T
}

export const invalidCursor = (): RivuletError =>
  new RivuletError(
    'invalid_cursor',
    'this cursor is not one that was given out for this reader and this list',
    {
      errors: [{ path: 'query.cursor', message: 'is not valid here; start again without it' }],
    },
  )

export function createCursorSeal(secret: Uint8Array): CursorSeal {
  const tagOf = (payload: Uint8Array) =>
    createHmac('sha256', secret).update(payload).digest().subarray(0, TAG_BYTES)
  return {
    seal(codec, value) {
      const payload = encode(codec, value)
      return Buffer.concat([payload, tagOf(payload)]).toString('base64url')
    },
    open(codec, text) {
      if (text.length > CURSOR_CHARS_MAX || !/^[A-Za-z0-9_-]+$/.test(text)) throw invalidCursor()
      const bytes = Buffer.from(text, 'base64url')
      // Several texts decode to the same bytes; only the one that was given out is accepted.
      if (bytes.length <= TAG_BYTES || bytes.toString('base64url') !== text) throw invalidCursor()
      const payload = bytes.subarray(0, -TAG_BYTES)
      if (!timingSafeEqual(tagOf(payload), bytes.subarray(-TAG_BYTES))) throw invalidCursor()
      return decodeOrRefuse(codec, payload)
    },
  }
}

/** A cursor of another list may be genuine and yet too short for this one. */
function decodeOrRefuse<T>(codec: Codec<T>, payload: Uint8Array): T {
  try {
    return decode(codec, payload)
  } catch {
    throw invalidCursor()
  }
}
