/**
 * Recent changes below a horizon that pages already claimed: a deleted repost may bring an older repost of the same
 * original back, and a post may enter the log late. An `after` that is older than such a change must answer `gap`, for
 * "everything since" would miss what appeared further down. A short list in memory answers for nearly every `after`;
 * one that is older than the list answers `gap`, too.
 */

import { idFloorAt } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Store } from '../../ports/store/store.ts'
import { revealsTable } from '../tables.ts'

const KEPT_MAX = 4_096
/** Rows of changes expire after so long; an `after` that is older answers `gap`. */
export const REVEALS_TTL_MS = 30 * 86_400_000

export interface Reveals {
  /** Whether a change above `id` may concern a reader: one by an author for whom `concerns` is true. */
  since(id: number, concerns: (author: number) => boolean): boolean
  /** @param id of the change, above every horizon that pages claimed before it */
  revealed(id: number, author: number): void
  load(): Promise<void>
}

export function createReveals(env: Env, store: Store): Reveals {
  /** Newest last. */
  let list: { id: number; author: number }[] = []
  /** The list holds every change above this id. */
  let knownFrom = 0

  return {
    since(id, concerns) {
      if (id < knownFrom) return true
      for (let i = list.length - 1; i >= 0 && list[i].id > id; i--) if (concerns(list[i].author)) return true
      return false
    },
    revealed(id, author) {
      if (list.some((known) => known.id === id)) return
      // Changes come from several partitions, so not in the order of their ids.
      let at = list.length
      while (at > 0 && list[at - 1].id > id) at--
      list.splice(at, 0, { id, author })
      if (list.length < 2 * KEPT_MAX) return
      list = list.slice(-KEPT_MAX)
      knownFrom = list[0].id
    },
    async load() {
      const { partition } = revealsTable.key(0)
      const [rows] = await store.range([{ table: revealsTable, partition, from: '', limit: KEPT_MAX }])
      list = rows.map((row) => revealsTable.decode(row)).reverse()
      knownFrom = rows.length === KEPT_MAX ? list[0].id : idFloorAt(env.wallMs() - REVEALS_TTL_MS)
    },
  }
}
