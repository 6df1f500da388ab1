/**
 * Partitions with the same token: texts of 32 ASCII characters with the same hash by MurmurHash3 (x64, 128 bits).
 *
 * The hash takes each block of 16 bytes as two halves; each half is mixed and added to a state (h1, h2). Changing one bit of
 * the mixed first half can change exactly the highest bit of h1; the second half then undoes the effect on h2, and the first
 * half of the next block the one on h1. So the search looks for three halves whose mixed values differ in the right bit
 * and which are ASCII. Any number of such texts can be made from more blocks.
 */

import { createRandom } from '../../../../src/ports/env/random.ts'

const MASK = 2n ** 64n - 1n
const C1 = 0x87c37b91114253d5n
const C2 = 0x4cf5ad432745937fn

const rotate = (value: bigint, by: bigint) => ((value << by) | (value >> (64n - by))) & MASK

/** The inverse of an odd number modulo 2^64: each step doubles the number of right bits. */
function inverse(value: bigint): bigint {
  let result = value
  for (let step = 0; step < 6; step++) result = (result * (2n - value * result)) & MASK
  return result
}

interface Mix {
  readonly first: bigint
  readonly turn: bigint
  readonly second: bigint
}
const LOW: Mix = { first: C1, turn: 31n, second: C2 }
const HIGH: Mix = { first: C2, turn: 33n, second: C1 }

const mix = (half: bigint, { first, turn, second }: Mix) =>
  (rotate((half * first) & MASK, turn) * second) & MASK
const unmix = (mixed: bigint, { first, turn, second }: Mix) =>
  (rotate((mixed * inverse(second)) & MASK, 64n - turn) * inverse(first)) & MASK

function toHalf(text: string): bigint {
  return Buffer.from(text, 'latin1').readBigUInt64LE()
}

function toText(half: bigint): string | undefined {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(half)
  return bytes.every((byte) => byte > 0 && byte < 128) ? bytes.toString('latin1') : undefined
}

const TURNS_MAX = 1_000_000

/** Finds two texts of 8 characters whose mixed values differ in one bit. */
function pairOf(random: () => number, how: Mix, bit: bigint): [string, string] {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    const codes = Array.from({ length: 8 }, () => 1 + Math.floor(random() * 127))
    const text = String.fromCharCode(...codes)
    const other = toText(unmix(mix(toHalf(text), how) ^ (1n << bit), how))
    if (other !== undefined) return [text, other]
  }
  throw new Error(`no pair in ${TURNS_MAX} turns`)
}

/** @returns `count` texts with the same token */
export function twinsOf(seed: number, count: number): string[] {
  const random = createRandom(seed)
  // After the rotation by 27 the bit is the highest, where no addition or multiplication spreads it.
  const [a, otherA] = pairOf(random, LOW, 63n - 27n)
  const [b, otherB] = pairOf(random, HIGH, 63n - 31n)
  const [c, otherC] = pairOf(random, LOW, 63n)
  const same = a + b + c + '________'
  const changed = otherA + otherB + otherC + '________'
  let texts = ['']
  while (texts.length < count) texts = texts.flatMap((text) => [text + same, text + changed])
  return texts.slice(0, count)
}
