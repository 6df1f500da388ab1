/**
 * Chooses which timeline to give up: a hand goes round all accounts, spares a warm one once and takes the
 * first cold one that holds blocks. Those without blocks would free nothing.
 */

import { CLOCK_ABSENT, CLOCK_COLD, CLOCK_WARM, HEADER_SHIFT, type Headers, NEWEST } from './headers.ts'
import { BLOCK_NONE } from './slabs.ts'

/** When so many in a row are warm the next is taken anyway: bounds the pause, and hardly matters for the choice. */
const SPARED_MAX = 65_536

export class Clock {
  /** The choice of the last `advance`. */
  chunk = 0
  index = -1
  private readonly headers: Headers

  constructor(headers: Headers) {
    this.headers = headers
  }

  /** False when no timeline but the one at `words`, `base` holds a block. */
  advance(words: Uint32Array, base: number): boolean {
    let spared = 0
    // Once to spare, once to take, and the chunk in which the hand stands has two parts.
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
