import { describe, expect, it } from 'vitest'
import { Clock } from '../../../../src/ports/views/memory/clock.ts'
import { CLOCK_WARM, HEADER_SHIFT, Headers, NEWEST } from '../../../../src/ports/views/memory/headers.ts'

const SECOND_CHUNK = 8_192

/** Accounts with one block each; those in `warm` were read. */
function world(accounts: readonly number[], warm: readonly number[]) {
  const headers = new Headers()
  for (const account of accounts) {
    const chunk = headers.chunkOf(account) < 0 ? headers.addChunk(account) : headers.chunkOf(account)
    const index = account % SECOND_CHUNK
    headers.open(chunk, index, 1)
    headers.words[chunk][(index << HEADER_SHIFT) + NEWEST] = 1
    if (warm.includes(account)) headers.clocks[chunk][index] = CLOCK_WARM
  }
  const clock = new Clock(headers)
  const nothing = new Uint32Array()
  return {
    headers,
    next: (words: Uint32Array = nothing, base = 0) =>
      clock.advance(words, base) ? clock.chunk * SECOND_CHUNK + clock.index : undefined,
  }
}

describe('clock', () => {
  it('takes the cold in the order of the hand, over all chunks', () => {
    const { next } = world([3, 7, SECOND_CHUNK + 1], [])
    expect([next(), next(), next(), next()]).toEqual([3, 7, SECOND_CHUNK + 1, 3])
  })

  it('spares a warm one once', () => {
    const { next } = world([3, 7, 9], [3])
    expect([next(), next(), next()]).toEqual([7, 9, 3])
  })

  it('takes one when all are warm', () => {
    expect(world([3, 7], [3, 7]).next()).toBe(3)
  })

  it('never takes the one that asks, though it alone is cold', () => {
    const { headers, next } = world([3, 7, 9], [7, 9])
    const asks = (account: number) => next(headers.words[0], account << HEADER_SHIFT)
    expect([asks(3), asks(7)]).toEqual([7, 9])
  })

  it('passes over timelines without blocks, and says when none has any', () => {
    const { headers, next } = world([3, 7], [])
    headers.words[0][(3 << HEADER_SHIFT) + NEWEST] = 0
    expect([next(), next()]).toEqual([7, 7])
    expect(next(headers.words[0], 7 << HEADER_SHIFT)).toBeUndefined()
  })
})
