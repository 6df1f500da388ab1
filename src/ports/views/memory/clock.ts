/**
 * Chooses the timeline to evict (the CLOCK algorithm): a hand goes round all accounts, spares a warm timeline once, and
 * takes the first cold one that holds blocks. Timelines without blocks would free nothing.
 */

import { CLOCK_ABSENT, CLOCK_COLD, CLOCK_WARM, HEADER_SHIFT, type Headers, NEWEST } from './headers.ts'
import { BLOCK_NONE } from './slabs.ts'

/** After sparing so many in a row, the next one is taken anyway. This bounds the pause and hardly affects the choice. */
const SPARED_MAX = 65_536

export class Clock {
  /** Where the hand is: after `advance`, the chosen timeline. */
  chunk = 0
  index = -1
  private readonly headers: Headers

  constructor(headers: Headers) {
    this.headers = headers
  }

  /** False when no timeline but the one at `words`, `base` holds a block. */
  advance(words: Uint32Array, base: number): boolean {
    let spared = 0
    // One round to spare, one to take; the chunk in which the hand starts is visited in two parts.
    const chunksMax = 2 * this.headers.clocks.length + 1
    for (let passed = 0; passed <= chunksMax; passed++) {
      const clocks = this.headers.clocks[this.chunk]
      for (let index = this.index + 1; index < clocks.length; index++) {
        if (clocks[index] === CLOCK_ABSENT || !this.mayTake(index, words, base)) continue
        if (clocks[index] === CLOCK_WARM && spared < SPARED_MAX) {
          clocks[index] = CLOCK_COLD
          spared++
          continue
        }
        this.index = index
        return true
      }
      this.index = -1
      this.chunk = (this.chunk + 1) % this.headers.clocks.length
    }
    return false
  }

  private mayTake(index: number, words: Uint32Array, base: number): boolean {
    const chunkWords = this.headers.words[this.chunk]
    const at = index << HEADER_SHIFT
    return chunkWords[at + NEWEST] !== BLOCK_NONE && !(chunkWords === words && at === base)
  }
}
