/** The minute in which each account was last seen: 4 bytes an account, in blocks of 1,024 accounts. */

const BLOCK_BITS = 10
export const ACTIVITY_BLOCK = 2 ** BLOCK_BITS
const NO_MINUTES = new Uint32Array(0)

export const blockOf = (number: number): number => number >>> BLOCK_BITS

export interface Minutes {
  /** 0 when nothing is known. */
  of(number: number): number
  set(number: number, minute: number): void
  /** A block as it is saved; empty when nothing is known of its accounts. */
  block(block: number): Uint32Array
  load(block: number, minutes: ArrayLike<number>): void
  /**
   * Accounts seen in `first` or later, the latest first. One that was seen after `last`, by another process whose
   * clock is ahead, counts as seen in `last`.
   */
  since(first: number, last: number): Uint32Array
}

export function createMinutes(): Minutes {
  const blocks: (Uint32Array | undefined)[] = []
  return {
    of: (number) => blocks[number >>> BLOCK_BITS]?.[number & (ACTIVITY_BLOCK - 1)] ?? 0,
    set(number, minute) {
      const block = (blocks[blockOf(number)] ??= new Uint32Array(ACTIVITY_BLOCK))
      block[number % ACTIVITY_BLOCK] = minute
    },
    block: (block) => blocks[block] ?? NO_MINUTES,
    load(block, minutes) {
      const whole = new Uint32Array(ACTIVITY_BLOCK)
      whole.set(minutes)
      blocks[block] = whole
    },
    since: (first, last) => latestFirst(blocks, first, last),
  }
}

/** By counting sort: with millions of accounts, comparing them would take too long. */
function latestFirst(blocks: readonly (Uint32Array | undefined)[], first: number, last: number): Uint32Array {
  /** By minute: first how many accounts were seen in it, then the index at which the next of them is put. */
  const places = new Uint32Array(last - first + 1)
  const eachSeen = (visit: (number: number, place: number) => void) =>
    blocks.forEach((minutes, b) =>
      minutes?.forEach((seenAt, i) => {
        if (seenAt >= first) visit(b * ACTIVITY_BLOCK + i, Math.min(seenAt, last) - first)
      }),
    )
  eachSeen((_, place) => void places[place]++)
  let seen = 0
  for (let place = places.length - 1; place >= 0; place--) {
    const count = places[place]
    places[place] = seen
    seen += count
  }
  const found = new Uint32Array(seen)
  eachSeen((number, place) => void (found[places[place]++] = number))
  return found
}
