/** Checks of arguments, the same for all adapters. */

import { RivuletError, assert } from '../../core/errors.ts'

const VALUE_BYTES_MAX = 4_096

export function assertTtl(ttlMs: number): void {
  assert(ttlMs > 0 && ttlMs < Infinity, 'a lifetime is positive and finite')
}

export function assertRate(limit: number, windowMs: number, cost: number): void {
  assert(limit >= 1 && windowMs > 0, 'a rate limit allows at least one hit in a positive time')
  assert(cost >= 1 && cost <= limit, 'a hit costs at least one token and at most all of a bucket')
}

export function checkValue(value: string): void {
  if (Buffer.byteLength(value) <= VALUE_BYTES_MAX) return
  throw new RivuletError('payload_too_large', `a short-lived value has at most ${VALUE_BYTES_MAX} bytes`)
}
