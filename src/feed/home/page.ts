/** Pages of the home feed: how they are asked for, and what they hold. */

import type { Circle } from '../../graph/index.ts'
import type { Item } from '../posts/items.ts'
import type { HomeQuery } from './query.ts'

export interface HomeRequest {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly after?: string | undefined
}

export interface HomePage {
  readonly items: readonly Item[]
  /** The reader's circle when the page was made: it tells which authors the reader follows. */
  readonly circle: Circle
  readonly nextCursor: string | undefined
  readonly after: string
  readonly hasMore: boolean
  readonly complete: boolean
  /** The id up to which the page claims to be complete, as far down as it reaches. */
  readonly horizon: number
  readonly gap: boolean
  /** Names the timeline if it could not be read: then all followees were pulled, for the same page, but slower. */
  readonly failedSources: readonly string[]
}

/** A request on its way, with what was found out about its reader. */
export interface Asked extends Pick<HomeQuery, 'reader' | 'circle' | 'sinceMs' | 'isCold'> {
  readonly limit: number
}
