/** A seeded generator of numbers in [0, 1) with 53 bits: xoshiro128**, its state derived from the seed by splitmix32. */

export function createRandom(seed: number): () => number {
  let spread = seed | 0
  const splitmix = () => {
    spread = (spread + 0x9e3779b9) | 0
    let mixed = Math.imul(spread ^ (spread >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return mixed ^ (mixed >>> 15)
  }
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()]
  const nextU32 = () => {
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return scrambled >>> 0
  }
  return () => ((nextU32() >>> 5) * 2 ** 26 + (nextU32() >>> 6)) / 2 ** 53
}

const rotateLeft = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))
