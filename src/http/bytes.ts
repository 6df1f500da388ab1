/**
 * Response bodies put together from parts that exist already. Memory comes from slabs; one whose bodies have
 * all gone out is filled again, because memory that is new to the process takes longer to touch than to fill.
 */

import { assert } from '../core/errors.ts'

const SLAB_BYTES = 1_024 * 1_024
/** Larger bodies get memory of their own, so that one of them does not waste a slab. */
const SLAB_SHARE_BYTES_MAX = SLAB_BYTES / 16
const SPARE_SLABS_MAX = 16

interface Slab {
  readonly bytes: Buffer
  usedBytes: number
  /** Bodies that may still be on their way to a socket. One that never comes back leaves its slab to the collector. */
  out: number
}

const slabs = new WeakMap<ArrayBufferLike, Slab>()
const spare: Slab[] = []
let current = newSlab()

function newSlab(): Slab {
  const slab = { bytes: Buffer.allocUnsafeSlow(SLAB_BYTES), usedBytes: 0, out: 0 }
  slabs.set(slab.bytes.buffer, slab)
  return slab
}

/** Bytes that nobody else holds; their content is not defined. */
function takeBytes(size: number): Buffer {
  if (size > SLAB_SHARE_BYTES_MAX) return Buffer.allocUnsafeSlow(size)
  if (current.usedBytes + size > SLAB_BYTES) current = spare.pop() ?? newSlab()
  const from = current.usedBytes
  current.usedBytes += size
  current.out++
  return current.bytes.subarray(from, current.usedBytes)
}

/** Says, once, that what `stitch` gave is not used any more. Bytes from elsewhere are left alone. */
export function giveBack(bytes: Uint8Array): void {
  const slab = slabs.get(bytes.buffer)
  if (slab === undefined) return
  assert(slab.out > 0, 'memory is given back once')
  if (--slab.out > 0) return
  slab.usedBytes = 0
  if (slab !== current && spare.length < SPARE_SLABS_MAX) spare.push(slab)
}

/** All parts, one after the other, in one piece of memory: to be given back once it has gone out. */
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
