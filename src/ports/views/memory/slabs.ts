/**
 * Block memory of the in-memory timelines. A block is 40 words: 13 entries of three words (id low; id high in 21 bits with
 * the kind above it; ref) and a link. Blocks live in a few large typed arrays, so that to the garbage collector a
 * million timelines are a thousand objects. A freed block is the next one taken.
 */

export const ENTRY_WORDS = 3
export const BLOCK_ENTRIES = 13
export const LINK_WORD = BLOCK_ENTRIES * ENTRY_WORDS
export const BLOCK_WORDS = LINK_WORD + 1
export const BLOCK_BYTES = BLOCK_WORDS * 4
export const BLOCK_NONE = 0

/**
 * A slab has 5 MB: large enough that there are few of them, small enough that creating one makes no noticeable pause and
 * that the unused part of the last one matters little.
 */
export const SLAB_SHIFT = 15
export const SLAB_BLOCKS = 1 << SLAB_SHIFT
export const SLAB_MASK = SLAB_BLOCKS - 1
const FIRST_BLOCKS = 512
/** The fewest blocks to grow by, since growing copies a slab. */
const GROWTH_BLOCKS_MIN = 64

export class Slabs {
  /** Block `b` starts at word `(b & SLAB_MASK) * BLOCK_WORDS` of slab `b >>> SLAB_SHIFT`. Growing replaces the last one. */
  readonly slabs: Uint32Array[] = []
  bytes = 0
  private freed = BLOCK_NONE
  /** Blocks from here on were never taken. Block 0 means "none" and stays empty. */
  private fresh = 1
  private held = 0

  constructor() {
    this.grow(FIRST_BLOCKS * BLOCK_BYTES)
  }

  /** Returns a block with arbitrary content, or `BLOCK_NONE`. */
  take(): number {
    const block = this.freed
    if (block !== BLOCK_NONE) {
      this.freed = this.slabs[block >>> SLAB_SHIFT][(block & SLAB_MASK) * BLOCK_WORDS + LINK_WORD]
      return block
    }
    return this.fresh < this.held ? this.fresh++ : BLOCK_NONE
  }

  give(block: number): void {
    this.slabs[block >>> SLAB_SHIFT][(block & SLAB_MASK) * BLOCK_WORDS + LINK_WORD] = this.freed
    this.freed = block
  }

  /**
   * Makes more blocks, with at most `roomBytes` of memory. The last slab is doubled until it has its full size, so that a
   * small server has a small slab; while it is copied, both copies exist.
   */
  grow(roomBytes: number): boolean {
    const last = this.slabs.at(-1)
    const room = Math.floor(roomBytes / BLOCK_BYTES)
    if (last === undefined || last.length === SLAB_BLOCKS * BLOCK_WORDS) return this.add(room)
    const blocksBefore = last.length / BLOCK_WORDS
    const blocks = Math.min(blocksBefore * 2, SLAB_BLOCKS, blocksBefore + room)
    if (blocks - blocksBefore < Math.min(GROWTH_BLOCKS_MIN, SLAB_BLOCKS - blocksBefore)) return false
    const slab = new Uint32Array(blocks * BLOCK_WORDS)
    slab.set(last)
    this.slabs[this.slabs.length - 1] = slab
    this.hold(blocks - blocksBefore)
    return true
  }

  private add(room: number): boolean {
    const blocks = Math.min(this.slabs.length === 0 ? FIRST_BLOCKS : SLAB_BLOCKS, room)
    if (blocks < GROWTH_BLOCKS_MIN) return false
    this.slabs.push(new Uint32Array(blocks * BLOCK_WORDS))
    this.hold(blocks)
    return true
  }

  private hold(blocks: number): void {
    this.held += blocks
    this.bytes += blocks * BLOCK_BYTES
  }
}
