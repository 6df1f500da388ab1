/** A store that ignores writes, for an engine that only reads. */

import { RivuletError } from '../../core/errors.ts'
import type { Store } from '../../ports/store/store.ts'

/** Reading makes an engine write visits, backfills and checkpoints; it works without them. */
export const createSilentStore = (store: Store): Store => ({
  get: (keys) => store.get(keys),
  range: (ranges) => store.range(ranges),
  scan: (table, after, limit) => store.scan(table, after, limit),
  watermark: () => store.watermark(),
  write: async () => undefined,
  checkpoint: async () => undefined,
  insertIfAbsent: async () => {
    throw new RivuletError('internal', 'a check must not claim anything')
  },
  close: async () => undefined,
})
