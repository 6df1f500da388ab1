import { compatibilityPartitioner } from '@platformatic/kafka'
import { expect, it } from 'vitest'
import { encodeKey, murmur2, partitionOfKey } from '../../../../src/ports/log/kafka/partitioner.ts'

/** Taken from Kafka's own tests (UtilsTest.testMurmur2). */
const KNOWN: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

it('hashes as Java does', () => {
  for (const [text, hash] of KNOWN) expect(murmur2(Buffer.from(text))).toBe(hash)
})

it('puts keys where the default partitioner of other clients does', () => {
  const keys = [0, 1, 2, 255, 2 ** 31, 2 ** 32 + 7, Number.MAX_SAFE_INTEGER]
  for (const key of [...keys, ...Array.from({ length: 500 }, (_, n) => n * 7_919_123_457)]) {
    const long = Buffer.alloc(8)
    long.writeBigInt64BE(BigInt(key))
    expect(encodeKey(key)).toEqual(long)
    const theirs = compatibilityPartitioner({ topic: 'any' }, long)
    expect(partitionOfKey(long, 12)).toBe(theirs % 12)
  }
})
