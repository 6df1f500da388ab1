/** What every adapter refuses. */

import { RivuletError, assert } from '../../core/errors.ts'

/** As the contract says. */
const VALUE_BYTES_MAX = 4_096

export function assertTtl(ttlMs: number): void {
  assert(ttlMs > 0 && ttlMs < Infinity, 'a life has an end')
}

export function assertRate(limit: number, windowMs: number): void {
  assert(limit >= 1 && windowMs > 0, 'a rate limit allows something')
}

export function checkValue(value: string): void {
  if (Buffer.byteLength(value) <= VALUE_BYTES_MAX) return
  throw new RivuletError('payload_too_large', `a short-lived value has at most ${VALUE_BYTES_MAX} bytes`)
}
