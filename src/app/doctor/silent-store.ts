/** A store that takes writes and forgets them: for an engine that only looks. */

import { RivuletError } from '../../core/errors.ts'
import type { Store } from '../../ports/store/store.ts'

/** What a reading engine writes (visits, backfills, checkpoints) it can do without. */
export const createSilentStore = (store: Store): Store => ({
  get: (keys) => store.get(keys),
  range: (ranges) => store.range(ranges),
  scan: (table, after, limit) => store.scan(table, after, limit),
  watermark: () => store.watermark(),
  write: async () => undefined,
  checkpoint: async () => undefined,
  insertIfAbsent: async () => {
    throw new RivuletError('internal', 'a check claims nothing')
  },
  close: async () => undefined,
})
