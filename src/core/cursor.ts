/**
 * Cursors: opaque, authenticated text. What is inside was sealed by this deployment for one purpose; anything
 * else is refused. Format: base64url(payload ‖ 12 bytes of HMAC-SHA-256(payload)), the payload filled up to
 * whole groups of base64. One payload may be sealed for two purposes at once: the first 12 bytes of the HMAC seal it
 * for one, the next 12 for the other, so a page's two cursors cost one HMAC and neither opens as the other.
 */

import { timingSafeEqual } from 'node:crypto'
import { decode, encode, type Codec } from './codec.ts'
import { RivuletError } from './errors.ts'
import { createHmacSha256 } from './hmac.ts'

/** 12 bytes. */
const TAG_CHARS = 16
/** What every cursor looks like, as JSON Schema says it: a group of base64 and the tag at least. */
export const CURSOR_FORM = {
  pattern: '^[A-Za-z0-9_-]+$',
  minLength: 4 + TAG_CHARS,
  maxLength: 4_096,
} as const
const CURSOR = new RegExp(CURSOR_FORM.pattern, 'u')

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
  const hmac = createHmacSha256(secret)
  const tagOf = (tags: string, purpose: number) => tags.slice(purpose * TAG_CHARS, (purpose + 1) * TAG_CHARS)

  return {
    seal(codec, value) {
      const payload = encode(aligned(codec), value)
      return payload.toString('base64url') + tagOf(hmac(payload), 0)
    },
    sealBoth(codec, value) {
      const payload = encode(aligned(codec), value)
      const [text, tags] = [payload.toString('base64url'), hmac(payload)]
      return [text + tagOf(tags, 0), text + tagOf(tags, 1)]
    },
    open(codec, text, purpose = 0) {
      if (text.length > CURSOR_FORM.maxLength || !CURSOR.test(text)) throw invalidCursor()
      const payloadText = text.slice(0, -TAG_CHARS)
      const payload = Buffer.from(payloadText, 'base64url')
      // Several texts decode to the same bytes; only the one that was given out is accepted.
      if (payload.length === 0 || payload.toString('base64url') !== payloadText) throw invalidCursor()
      const tag = tagOf(hmac(payload), purpose)
      if (!timingSafeEqual(Buffer.from(tag), Buffer.from(text.slice(-TAG_CHARS)))) throw invalidCursor()
      return decodeOrRefuse(codec, payload)
    },
  }
}

/** Filled up to whole groups of base64: the text of payload and tag is the text of the one and of the other. */
const aligned = <T>(codec: Codec<T>): Codec<T> => ({
  fallback: codec.fallback,
  write(out, value) {
    codec.write(out, value)
    while (out.size % 3 > 0) out.u8(0)
  },
  read: (input) => codec.read(input),
})

/** A cursor of another list may be genuine and yet too short for this one. */
function decodeOrRefuse<T>(codec: Codec<T>, payload: Uint8Array): T {
  try {
    return decode(codec, payload)
  } catch {
    throw invalidCursor()
  }
}
