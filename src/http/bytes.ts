/**
 * Response bodies put together from parts that exist already. Memory comes from slabs which are filled once
 * and then left to the collector: a region that may still be on its way to a socket is never written again.
 */

const SLAB_BYTES = 4 * 1_024 * 1_024
/** Larger bodies get memory of their own, so that one of them does not waste a slab. */
const SLAB_SHARE_BYTES_MAX = SLAB_BYTES / 16

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
let used = 0

/** Bytes that nobody else holds; their content is not defined. */
export function takeBytes(size: number): Buffer {
  if (size > SLAB_SHARE_BYTES_MAX) return Buffer.allocUnsafeSlow(size)
  if (used + size > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    used = 0
  }
  used += size
  return slab.subarray(used - size, used)
}

/** All parts, one after the other, in one new buffer. */
export function stitch(parts: readonly Uint8Array[]): Buffer {
  let size = 0
  for (let i = 0; i < parts.length; i++) size += parts[i].length
  const whole = takeBytes(size)
  let at = 0
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]
    // A separator is not worth a call.
    if (part.length === 1) whole[at] = part[0]
    else whole.set(part, at)
    at += part.length
  }
  return whole
}
