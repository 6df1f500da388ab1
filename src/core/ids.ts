/**
 * Ids that sort by time, in 53 bits: 37 bits count ticks of 10 ms since 2004-01-01, 9 bits name the node, 7 bits are a
 * sequence within the tick. A JavaScript number and a `Float64Array` hold them exactly. They last until 2047. Node 0 is
 * for imported events, whose ids carry the events' own times.
 */

import { RivuletError } from './errors.ts'

export const EPOCH_MS = Date.UTC(2004, 0, 1)
export const TICK_MS = 10
const SEQUENCES = 128
const NODES = 512
const IDS_PER_TICK = SEQUENCES * NODES
const TICKS_MAX = 2 ** 37

export const ID_MAX = Number.MAX_SAFE_INTEGER

export const idTimeMs = (id: number): number => Math.floor(id / IDS_PER_TICK) * TICK_MS + EPOCH_MS

/** The smallest id of the tick that holds `timeMs`; times outside the range are clamped. */
export function idFloorAt(timeMs: number): number {
  const tick = Math.floor((timeMs - EPOCH_MS) / TICK_MS)
  return Math.min(Math.max(tick, 0), TICKS_MAX - 1) * IDS_PER_TICK
}

/** Matches exactly the texts that `parseId` accepts. */
export const ID_PATTERN = `^(?:${decimalsUpTo(String(ID_MAX))})$`

/** Decimal numbers from 1 to `max`, as a regular expression. */
function decimalsUpTo(max: string): string {
  const shorter = `[1-9][0-9]{0,${max.length - 2}}`
  // Numbers with as many digits as `max`, but below it: they begin like it, up to a digit that is smaller.
  const below = [...max].map((digit, at) => {
    const least = at === 0 ? 1 : 0
    if (Number(digit) <= least) return []
    return `${max.slice(0, at)}[${least}-${Number(digit) - 1}][0-9]{${max.length - at - 1}}`
  })
  return [shorter, ...below.flat(), max].join('|')
}

/** Parses a decimal string of 1 to 16 digits; throws `invalid_id` for any other text, and for 2^53 and above. */
export function parseId(text: string): number {
  const id = /^[1-9][0-9]{0,15}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(id)) {
    throw new RivuletError('invalid_id', 'an id is a decimal string between 1 and 9007199254740991')
  }
  return id
}

export interface IdSource {
  /** A new id, above every id given out before and above everything passed to `observe`. */
  next(): number
  /** Makes sure that later ids are above `id`. Called with the ids that the log already holds. */
  observe(id: number): void
  /** Returns an id at or above all ids given out so far and below all later ones. It rises with the clock. */
  fence(): number
}

/**
 * For a process that is alone: it uses every node number but 0, 65,408 ids a tick. When a tick is used up, or the clock
 * stands still or goes back, ids are taken from later ticks, so that no caller has to wait.
 */
export function createIdSource(wallMs: () => number): IdSource {
  let last = 0
  const skipNodeZero = (id: number) =>
    id % IDS_PER_TICK < SEQUENCES ? id - (id % IDS_PER_TICK) + SEQUENCES : id
  return {
    next() {
      last = Math.max(skipNodeZero(last + 1), idFloorAt(wallMs()) + SEQUENCES)
      if (last > ID_MAX) throw new RivuletError('internal', 'ids are exhausted')
      return last
    },
    observe(id) {
      if (id > last) last = id
    },
    fence() {
      last = Math.max(last, idFloorAt(wallMs()))
      return last
    },
  }
}

/** Node numbers that one process alone may use, for a span of ticks. */
export interface NodeLease {
  /** The first of `NODES_A_LEASE` node numbers. */
  readonly node: number
  readonly fromTick: number
  /** Exclusive. */
  readonly toTick: number
}

/** Two numbers give a process 256 ids a tick, that is 25,600 a second, and allow 255 processes at a time. */
export const NODES_A_LEASE = 2
export const NODE_LEASES = NODES / NODES_A_LEASE
const IDS_A_LEASE = NODES_A_LEASE * SEQUENCES

export const tickAt = (timeMs: number): number => Math.floor(idFloorAt(timeMs) / IDS_PER_TICK)
export const tickOf = (id: number): number => Math.floor(id / IDS_PER_TICK)

export interface LeasedIds extends IdSource {
  /** Takes later ids from this lease. */
  grant(lease: NodeLease): void
  /** The tick of the next id: the one that a lease must cover. */
  tick(): number
  /** Whether the lease covers the next id. */
  isLeased(): boolean
}

/**
 * For one process among many. It gives out ids only with the node numbers and in the ticks of its lease, so that two
 * processes never give out the same id, whatever their clocks say. Without a lease for the tick, `next` throws
 * `unavailable`.
 */
export function createLeasedIds(wallMs: () => number): LeasedIds {
  let last = 0
  let lease: NodeLease = { node: NODES_A_LEASE, fromTick: 0, toTick: 0 }
  const isLeased = (tick: number) => tick >= lease.fromTick && tick < lease.toTick
  function candidate(): number {
    const tick = Math.max(tickOf(last), tickAt(wallMs()))
    const first = tick * IDS_PER_TICK + lease.node * SEQUENCES
    const id = Math.max(first, last + 1)
    return id < first + IDS_A_LEASE ? id : first + IDS_PER_TICK
  }
  return {
    grant(next) {
      lease = next
    },
    tick: () => tickOf(candidate()),
    isLeased: () => isLeased(tickOf(candidate())),
    next() {
      const id = candidate()
      if (!isLeased(tickOf(id))) {
        throw new RivuletError('unavailable', 'this process has no lease for ids at the moment; retry', {
          retryAfterMs: 1_000,
        })
      }
      return (last = id)
    },
    observe(id) {
      if (id > last) last = id
    },
    fence() {
      last = Math.max(last, idFloorAt(wallMs()))
      return last
    },
  }
}

/**
 * Makes ids for imported events from their own times, with node 0. A tick has 128 of them; events beyond that move to
 * the next tick.
 * @param taken whether an id is used already
 */
export function createImportIds(taken: (id: number) => boolean = () => false): (timeMs: number) => number {
  const used = new Map<number, number>()
  return (timeMs) => {
    for (let tickFloor = idFloorAt(timeMs); ; tickFloor += IDS_PER_TICK) {
      let sequence = used.get(tickFloor) ?? (tickFloor === 0 ? 1 : 0)
      while (sequence < SEQUENCES && taken(tickFloor + sequence)) sequence++
      used.set(tickFloor, sequence + 1)
      if (sequence < SEQUENCES) return tickFloor + sequence
    }
  }
}
