/**
 * A set of refs, to find the newest entry of each ref in a run of entries. It is an open-addressed hash table of typed
 * arrays that is used again for each run: a `Set` would allocate for every ref, and be filled for every page that is read.
 */

/** Spreads refs over the table, since refs that follow each other are common (2^32 divided by the golden ratio). */
const SPREAD = 0x9e3779b1

export class RefSet {
  /** A slot is in use if it was filled in the current round, so that `begin` need not clear the table. */
  private rounds = new Uint32Array(0)
  private refs = new Uint32Array(0)
  private round = 0
  private shift = 32

  /** @param refsMax how many refs a run may have; `begin` makes room for more */
  constructor(refsMax: number) {
    this.makeRoom(refsMax)
  }

  get bytes(): number {
    return this.rounds.byteLength + this.refs.byteLength
  }

  /** Empties the set for a run of at most `refsMax` different refs. */
  begin(refsMax: number): void {
    if (2 * refsMax > this.refs.length) return this.makeRoom(refsMax)
    this.round = (this.round + 1) >>> 0
    if (this.round > 0) return
    this.rounds.fill(0)
    this.round = 1
  }

  /** @returns false when the ref was there already */
  add(ref: number): boolean {
    const { rounds, refs, round } = this
    const last = refs.length - 1
    let slot = Math.imul(ref, SPREAD) >>> this.shift
    for (; rounds[slot] === round; slot = (slot + 1) & last) if (refs[slot] === ref) return false
    rounds[slot] = round
    refs[slot] = ref
    return true
  }

  /** A table of at least twice as many slots as refs, so that a slot is found within a few steps. */
  private makeRoom(refsMax: number): void {
    const bits = Math.max(4, Math.ceil(Math.log2(2 * refsMax)))
    this.refs = new Uint32Array(2 ** bits)
    this.rounds = new Uint32Array(2 ** bits)
    this.round = 1
    this.shift = 32 - bits
  }
}
