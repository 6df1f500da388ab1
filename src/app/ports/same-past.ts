/** Checks that a log and a store belong together, and that a log may be the target of a move. */

import { RivuletError } from '../../core/errors.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'

/**
 * Throws `data_corrupt` unless the position up to which the store is complete lies within the log. Below the log's
 * start, events are missing in between; above its end, the log has lost events. Both happen when log and store come
 * from different backups, and going on would hide the loss.
 */
export async function assertSamePast(place: string, log: Log, store: Store): Promise<void> {
  const watermark = await store.watermark()
  for (const [partition, { start, end }] of (await log.bounds()).entries()) {
    const projected = watermark[partition] ?? 0
    if (projected > end) {
      throw mismatch(place, `the store holds events up to position ${projected}, but the log ends at ${end}`)
    }
    if (projected < start) {
      throw mismatch(
        place,
        `the log begins at position ${start}, but the store holds only what is below ${projected}`,
      )
    }
  }
}

export const mismatch = (place: string, finding: string): RivuletError =>
  new RivuletError(
    'data_corrupt',
    `in ${place}, ${finding}: data is missing, and nothing was changed; restore log and store together, from one backup`,
  )

/** An existing log keeps its epoch: throws if that is below the one that the moved rows need. */
export function assertEpoch(place: string, log: Log, epoch: number): void {
  if (log.epoch >= epoch) return
  const message = `${place} has been used before (its log has epoch ${log.epoch}, what is moved there needs ${epoch}); a move needs a new folder, or a new topic and keyspace (RIVULET_KAFKA_TOPIC, RIVULET_CASSANDRA_KEYSPACE)`
  throw new RivuletError('config_invalid', message)
}
