import { expect, test } from 'vitest'
import { RefSet } from '../../../src/ports/views/ref-set.ts'

/** Refs that follow each other, that lie far apart, and that differ in their high bits only. */
const REFS = [
  0,
  1,
  2,
  3,
  1_000,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 16,
  2 ** 17,
  2 ** 20,
  2 ** 28,
  2 ** 30,
]

test('tells a new ref from one that is there, and forgets all in the next run', () => {
  const refs = new RefSet(1)
  for (let run = 0; run < 100; run++) {
    refs.begin(REFS.length)
    expect(REFS.map((ref) => refs.add(ref))).toEqual(REFS.map(() => true))
    expect(REFS.map((ref) => refs.add(ref))).toEqual(REFS.map(() => false))
  }
})

test('agrees with a Set on runs of any length, and makes room for the longest', () => {
  const refs = new RefSet(8)
  for (const length of [5, 8, 9, 100, 7, 5_000, 3]) {
    const known = new Set<number>()
    refs.begin(length)
    for (let n = 0; n < length; n++) {
      const ref = (n * n * 2_654_435_769) >>> (n % 7)
      expect(refs.add(ref)).toBe(!known.has(ref))
      known.add(ref)
    }
  }
  expect(refs.bytes).toBe(8 * 2 ** 14)
})
