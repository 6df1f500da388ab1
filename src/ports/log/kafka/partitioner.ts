/**
 * The partition of a key, as Java's LongSerializer and Kafka's default partitioner compute it, so that other programs find
 * and write the same partitions.
 */

const SEED = 0x9747b28c
const MIX = 0x5bd1e995

/** The hash that Kafka's own clients use: 32 bits, signed. */
export function murmur2(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let hash = SEED ^ bytes.length
  let at = 0
  for (; at + 4 <= bytes.length; at += 4) {
    const word = Math.imul(view.getInt32(at, true), MIX)
    hash = Math.imul(hash, MIX) ^ Math.imul(word ^ (word >>> 24), MIX)
  }
  if (at < bytes.length) {
    for (let n = bytes.length - 1; n >= at; n--) hash ^= bytes[n] << (8 * (n - at))
    hash = Math.imul(hash, MIX)
  }
  hash = Math.imul(hash ^ (hash >>> 13), MIX)
  return hash ^ (hash >>> 15)
}

/** The bytes of a key in a record: eight, the highest first. */
export function encodeKey(key: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeUInt32BE(Math.floor(key / 2 ** 32), 0)
  bytes.writeUInt32BE(key % 2 ** 32, 4)
  return bytes
}

export const partitionOfKey = (key: Uint8Array, partitions: number): number =>
  (murmur2(key) & 0x7fffffff) % partitions
