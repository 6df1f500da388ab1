/**
 * Concatenates response bodies from parts that are encoded already, in large slabs of memory. A slab whose bodies have
 * all been sent is used again, because the first touch of fresh memory (page faults) costs more than filling it.
 */

import { assert } from '../core/errors.ts'

const SLAB_BYTES = 1_024 * 1_024
/** Larger bodies get memory of their own, so that a single one does not use up a slab. */
const SLAB_SHARE_BYTES_MAX = SLAB_BYTES / 16
const SPARE_SLABS_MAX = 16

interface Slab {
  readonly bytes: Buffer
  usedBytes: number
  /**
   * Bodies that are not given back yet: a socket may still hold them. If one never is, the slab is not used again and
   * the garbage collector frees it.
   */
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

/** Memory that nobody else uses; its content is undefined. */
function takeBytes(size: number): Buffer {
  if (size > SLAB_SHARE_BYTES_MAX) return Buffer.allocUnsafeSlow(size)
  if (current.usedBytes + size > SLAB_BYTES) current = spare.pop() ?? newSlab()
  const from = current.usedBytes
  current.usedBytes += size
  current.out++
  return current.bytes.subarray(from, current.usedBytes)
}

/** Returns the memory of a body that `stitch` made; call it once per body. Bytes from elsewhere are ignored. */
export function giveBack(bytes: Uint8Array): void {
  const slab = slabs.get(bytes.buffer)
  if (slab === undefined) return
  assert(slab.out > 0, 'memory is given back once')
  if (--slab.out > 0) return
  slab.usedBytes = 0
  if (slab !== current && spare.length < SPARE_SLABS_MAX) spare.push(slab)
}

/** Concatenates the parts into one buffer, to be returned with `giveBack` once it has been sent. */
export function stitch(parts: readonly Uint8Array[]): Buffer {
  let size = 0
  for (let i = 0; i < parts.length; i++) size += parts[i].length
  const whole = takeBytes(size)
  let at = 0
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]
    // For a single byte, such as a separator, an assignment is faster than a call.
    if (part.length === 1) whole[at] = part[0]
    else whole.set(part, at)
    at += part.length
  }
  return whole
}
