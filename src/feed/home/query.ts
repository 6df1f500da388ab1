/** The state of one read of one reader's home feed, which the stages of the pipeline share. */

import type { Circle } from '../../graph/index.ts'

export interface HomeQuery {
  readonly reader: number
  circle: Circle
  /** By lane, the horizon last written to the views when the read began: a timeline header below it has lost entries. */
  readonly published: Float64Array
  readonly reposts: RepostsSeen
  /** Ids that earlier pages of the session served, where they are not to be given again. */
  readonly served: ReadonlySet<number> | undefined
  /** How many entries were read from the timeline, and whether it was found lost. */
  readonly stats: { entries: number; isTimelineLost: boolean }
  /** Names the timeline if it could not be read, either for the page or while looking for reposts above it. */
  readonly failed: string[]
  /** When the reader asked. */
  readonly sinceMs: number
  /** The reader's circle was not in memory: after a start, very many reads are cold at once and take turns. */
  readonly isCold: boolean
}

/** Reposts that this read has met and the reader is entitled to, by original. */
export interface RepostsSeen {
  readonly byOriginal: Map<number, number[]>
  /** The id below which this read began: it has met nothing from there on. */
  readonly start: number
  /** Hashes of originals whose reposts above `start` have been looked for. */
  readonly lookedFor: Set<number>
}

export function newHomeQuery(
  { reader, circle, sinceMs, isCold }: Pick<HomeQuery, 'reader' | 'circle' | 'sinceMs' | 'isCold'>,
  published: Float64Array,
  below: number,
  served?: ReadonlySet<number>,
): HomeQuery {
  return {
    reader,
    circle,
    published,
    reposts: { byOriginal: new Map(), start: below, lookedFor: new Set() },
    served,
    stats: newStats(),
    failed: [],
    sinceMs,
    isCold,
  }
}

/** The same query with statistics of its own, for entries that the page itself reads and counts as well. */
export const uncounted = (query: HomeQuery): HomeQuery => ({ ...query, stats: newStats() })

const newStats = () => ({ entries: 0, isTimelineLost: false })
