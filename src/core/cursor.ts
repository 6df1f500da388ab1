/**
 * Cursors: opaque, authenticated text. A cursor opens only if this deployment sealed it, and for the same purpose.
 *
 * Format: base64url(payload ‖ tag), the tag being 12 bytes of HMAC-SHA-256(payload), the payload padded to whole groups
 * of base64. One payload may be sealed for two purposes: bytes 0 to 11 of the HMAC are the tag of one, bytes 12 to 23
 * that of the other. So the two cursors of a page cost one HMAC, and neither opens as the other.
 */

import { timingSafeEqual } from 'node:crypto'
import { decode, encode, type Codec } from './codec.ts'
import { RivuletError } from './errors.ts'
import { createHmacSha256 } from './hmac.ts'

/** 12 bytes. */
const TAG_CHARS = 16
/** The form of every cursor, in words of JSON Schema: at least one group of base64 and the tag. */
export const CURSOR_FORM = {
  pattern: '^[A-Za-z0-9_-]+$',
  minLength: 4 + TAG_CHARS,
  maxLength: 4_096,
} as const
const CURSOR = new RegExp(CURSOR_FORM.pattern, 'u')

export interface CursorSeal {
  seal<T>(codec: Codec<T>, value: T): string
  /** Seals one value as two cursors, for purpose 0 and for purpose 1. */
  sealBoth<T>(codec: Codec<T>, value: T): [string, string]
  /** Throws `invalid_cursor` for text that was not sealed here, or was sealed for the other purpose. */
  open<T>(codec: Codec<T>, text: string, purpose?: 0 | 1): T
}

export const invalidCursor = (): RivuletError =>
  new RivuletError(
    'invalid_cursor',
    'this cursor was not given out for this reader and this list; start again without it',
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
      // Several texts decode to the same bytes; only the one that was sealed is accepted.
      if (payload.length === 0 || payload.toString('base64url') !== payloadText) throw invalidCursor()
      const tag = tagOf(hmac(payload), purpose)
      if (!timingSafeEqual(Buffer.from(tag), Buffer.from(text.slice(-TAG_CHARS)))) throw invalidCursor()
      return decodeOrRefuse(codec, payload)
    },
  }
}

/** Pads to whole groups of base64, so that the text of the payload and the text of the tag can be joined and cut. */
const aligned = <T>(codec: Codec<T>): Codec<T> => ({
  fallback: codec.fallback,
  write(out, value) {
    codec.write(out, value)
    while (out.size % 3 > 0) out.u8(0)
  },
  read: (input) => codec.read(input),
})

/** A cursor of another list may be genuine, but too short for this list's codec. */
function decodeOrRefuse<T>(codec: Codec<T>, payload: Uint8Array): T {
  try {
    return decode(codec, payload)
  } catch {
    throw invalidCursor()
  }
}
