/** Saves blocks of minutes that changed. A write that fails is tried again with the next one. */

import { idTimeMs, type IdSource } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Store } from '../../ports/store/store.ts'
import { activityTable } from '../tables.ts'
import { blockOf, type Minutes } from './minutes.ts'

export interface MinuteSaver {
  /** The account's block is saved with the next `flush`. */
  changed(number: number): void
  flush(): Promise<void>
}

export function createMinuteSaver(env: Env, store: Store, ids: IdSource, minutes: Minutes): MinuteSaver {
  const dirty = new Set<number>()
  let version = 0

  return {
    changed: (number) => void dirty.add(blockOf(number)),
    async flush() {
      const due = [...dirty]
      dirty.clear()
      // Rises above whatever another process saved before: its wall clock may be ahead, ids never go back.
      version = Math.max(version + 1, env.wallMs(), idTimeMs(ids.fence()))
      const rows = due.map((block) =>
        activityTable.row(activityTable.key(block), version, { block, minutes: minutes.block(block) }),
      )
      if (rows.length === 0) return
      await store.write(rows).catch(() => due.forEach((block) => dirty.add(block)))
    },
  }
}
