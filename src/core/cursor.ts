/**
 * Cursors: opaque, authenticated text. What is inside was sealed by this deployment for one purpose; anything
 * else is refused. Format: base64url(payload ‖ 12 bytes of HMAC-SHA-256(payload)). One payload may be sealed for
 * two purposes at once: the first 12 bytes of the HMAC seal it for one, the next 12 for the other, so a page's two
 * cursors cost one HMAC and neither opens as the other.
 */

import { createHmac, timingSafeEqual } from 'node:crypto'
import { decode, encode, type Codec } from './codec.ts'
import { RivuletError } from './errors.ts'

const TAG_BYTES = 12
const CURSOR_CHARS_MAX = 4_096

export interface CursorSeal {
  seal<T>(codec: Codec<T>, value: T): string
  /** The same value as two cursors that open as 0 and as 1. */
  sealBoth<T>(codec: Codec<T>, value: T): [string, string]
  /** Throws `invalid_cursor` for what was not sealed here, or for the other purpose. */
  open<T>(codec: Codec<T>, text: string, purpose?: 0 | 1): T
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
  const tagsOf = (payload: Uint8Array) => createHmac('sha256', secret).update(payload).digest()
  const tagAt = (tags: Buffer, purpose: number) =>
    tags.subarray(purpose * TAG_BYTES, (purpose + 1) * TAG_BYTES)
  const join = (payload: Buffer, tag: Buffer) => Buffer.concat([payload, tag]).toString('base64url')
  return {
    seal(codec, value) {
      const payload = encode(codec, value)
      return join(payload, tagAt(tagsOf(payload), 0))
    },
    sealBoth(codec, value) {
      const payload = encode(codec, value)
      const tags = tagsOf(payload)
      return [join(payload, tagAt(tags, 0)), join(payload, tagAt(tags, 1))]
    },
    open(codec, text, purpose = 0) {
      if (text.length > CURSOR_CHARS_MAX || !/^[A-Za-z0-9_-]+$/.test(text)) throw invalidCursor()
      const bytes = Buffer.from(text, 'base64url')
      // Several texts decode to the same bytes; only the one that was given out is accepted.
      if (bytes.length <= TAG_BYTES || bytes.toString('base64url') !== text) throw invalidCursor()
      const payload = bytes.subarray(0, -TAG_BYTES)
      if (!timingSafeEqual(tagAt(tagsOf(payload), purpose), bytes.subarray(-TAG_BYTES))) throw invalidCursor()
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
