import { describe, expect, it } from 'vitest'
import {
  BLOCK_BYTES,
  BLOCK_NONE,
  BLOCK_WORDS,
  SLAB_BLOCKS,
  SLAB_MASK,
  SLAB_SHIFT,
  Slabs,
} from '../../../../src/ports/views/memory/slabs.ts'

function takeAll(slabs: Slabs): number[] {
  const taken: number[] = []
  for (let block = slabs.take(); block !== BLOCK_NONE; block = slabs.take()) taken.push(block)
  return taken
}

describe('slabs', () => {
  it('give every block once, and again after all came back', () => {
    const slabs = new Slabs()
    while (slabs.slabs.length < 3) expect(slabs.grow(Infinity)).toBe(true)
    const blocks = slabs.bytes / BLOCK_BYTES
    expect(blocks).toBe(3 * SLAB_BLOCKS)
    for (let cycle = 0; cycle < 3; cycle++) {
      const taken = takeAll(slabs)
      expect(new Set(taken).size).toBe(blocks - 1) // block 0 stands for "none"
      for (const block of taken) slabs.give(block)
    }
  })

  it('keep their content when they grow', () => {
    const slabs = new Slabs()
    const written = takeAll(slabs)
    const firstWord = (block: number) => (block & SLAB_MASK) * BLOCK_WORDS
    for (const block of written) slabs.slabs[block >>> SLAB_SHIFT][firstWord(block)] = block
    while (slabs.slabs.length < 2) slabs.grow(Infinity)
    for (const block of written) expect(slabs.slabs[block >>> SLAB_SHIFT][firstWord(block)]).toBe(block)
  })

  it('grow by no more than the room they are given', () => {
    const slabs = new Slabs()
    const room = 1_000 * BLOCK_BYTES + 159
    const bytesMax = slabs.bytes + room
    while (slabs.grow(bytesMax - slabs.bytes)) expect(slabs.bytes).toBeLessThanOrEqual(bytesMax)
    expect(slabs.bytes).toBeGreaterThan(bytesMax - 100 * BLOCK_BYTES)
    expect(slabs.grow(0)).toBe(false)
    expect(slabs.grow(-1_000_000)).toBe(false)
  })
})
