/**
 * What lately showed something in the past. A repost that is deleted can bring back an older one of the same post; a
 * post may enter the log late, below what pages claimed already. What a reader was shown before it belongs to
 * another past. A short list answers for nearly every `after`; what is older than the list can only be a gap.
 */

import type { Store } from '../../ports/store/store.ts'
import { revealsTable } from '../tables.ts'
import type { Env } from '../../ports/env/env.ts'
import { idFloorAt } from '../../core/ids.ts'

const KEPT_MAX = 4_096
/** Rows end then; an older `after` is a gap. */
export const REVEALS_TTL_MS = 30 * 86_400_000

export interface Reveals {
  /** Whether something by someone in `concerns` was revealed above `id`, as far as is known. */
  since(id: number, concerns: (author: number) => boolean): boolean
  /** @param id above all that was claimed before */
  revealed(id: number, author: number): void
  load(): Promise<void>
}

export function createReveals(env: Env, store: Store): Reveals {
  /** Newest last. */
  let list: { id: number; author: number }[] = []
  /** Everything above this id is in the list. */
  let knownFrom = 0

  return {
    since(id, concerns) {
      if (id < knownFrom) return true
      for (let i = list.length - 1; i >= 0 && list[i].id > id; i--) if (concerns(list[i].author)) return true
      return false
    },
    revealed(id, author) {
      if (list.some((known) => known.id === id)) return
      // What comes from several partitions is not in the order of ids.
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
