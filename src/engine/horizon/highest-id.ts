/**
 * Two ids that are saved with every checkpoint, in a row for each lane of the horizon, because a start does not read
 * events below the checkpoint again:
 * - the highest id so far. Ids continue above it, even if the clock was set back.
 * - the published horizon. A timeline whose header is below it has lost entries that no replay inserts again.
 */

import { struct, u53 } from '../../core/codec.ts'
import { ID_MAX, type IdSource } from '../../core/ids.ts'
import { parseKey, u32Key } from '../../core/keys.ts'
import type { Store } from '../../ports/store/store.ts'
import { defineTable } from '../rows/tables.ts'

export const highestIdTable = defineTable({
  name: 'highest_id',
  partition: (_lane: number) => 'ids',
  sort: (lane: number) => (lane === 0 ? '' : u32Key(lane)),
  value: struct({ id: u53, published: u53 }),
})

/** Saved in place of a published horizon, this is above every header: the next start gives up all timelines. */
export const NO_TIMELINE = ID_MAX

const LANES_MAX = 4_096

/**
 * Saves a new id as the highest. The id is also the version of the rows, so that a later save always replaces them.
 * @param published by lane: the horizon that the views were told
 */
export async function saveHighestId(
  store: Store,
  ids: IdSource,
  published: ReadonlyMap<number, number>,
): Promise<void> {
  const id = ids.next()
  await store.write(
    [...published].map(([lane, told]) =>
      highestIdTable.row(highestIdTable.key(lane), id, { id, published: told }),
    ),
  )
}

/**
 * Makes sure that later ids are above the saved one.
 * @returns by lane, the saved horizon; the header of an intact timeline is at or above it
 */
export async function loadHighestId(
  store: Store,
  ids: IdSource,
  lanes: number,
): Promise<Map<number, number>> {
  const { partition } = highestIdTable.key(0)
  const [rows] = await store.range([{ table: highestIdTable, partition, from: '', limit: LANES_MAX }])
  const published = new Map<number, number>(Array.from({ length: lanes }, (_, lane) => [lane, 0]))
  for (const row of rows) {
    const { id, published: told } = highestIdTable.decode(row)
    ids.observe(id)
    const lane = row.sort === '' ? 0 : parseKey(row.sort)
    // A deployment that was moved may have had more lanes before.
    if (lane < lanes) published.set(lane, told)
  }
  return published
}

/** For `saveHighestId`, after an import for example: no timeline that exists now may be used again. */
export const noTimelines = (lanes: number): Map<number, number> =>
  new Map(Array.from({ length: lanes }, (_, lane) => [lane, NO_TIMELINE]))
