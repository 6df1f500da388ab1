/**
 * Memory for the entries that `range` returns: columns cut from a shared buffer, which is collected once all its pages are
 * unreachable. No part of a buffer is used twice, so many calls of `range` may be awaited at once.
 */

import type { Entries } from './views.ts'

const BUFFER_BYTES = 256 * 1024
const ENTRY_BYTES = 8 + 4 + 2
const ALIGN_BYTES = 8

export interface Page extends Entries {
  readonly ids: Float64Array<ArrayBuffer>
  readonly refs: Uint32Array<ArrayBuffer>
  readonly kinds: Uint16Array<ArrayBuffer>
}

export class Pages {
  private buffer = new ArrayBuffer(BUFFER_BYTES)
  private used = 0

  take(length: number): Page {
    const bytes = Math.ceil((length * ENTRY_BYTES) / ALIGN_BYTES) * ALIGN_BYTES
    if (this.used + bytes > this.buffer.byteLength) {
      this.buffer = new ArrayBuffer(Math.max(BUFFER_BYTES, bytes))
      this.used = 0
    }
    const at = this.used
    this.used += bytes
    return {
      length,
      ids: new Float64Array(this.buffer, at, length),
      refs: new Uint32Array(this.buffer, at + 8 * length, length),
      kinds: new Uint16Array(this.buffer, at + 12 * length, length),
    }
  }
}
