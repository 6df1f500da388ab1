/**
 * How far ids and views had come, saved with every checkpoint: a row for each lane of the horizon. Events below it
 * are not read again at a start, so a clock that was set back must not give their ids a second time; and timelines
 * that stand below what had been published then lost something that no replay brings back.
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

/** What no timeline stands at: whoever starts next makes all of them anew. */
export const NO_TIMELINE = ID_MAX

const LANES_MAX = 4_096

/**
 * Takes an id of its own, so that what is saved later always stands.
 * @param published by lane: the horizon that the views had been told
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

/** @returns by lane, the horizon that every intact timeline stands at or above */
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
    // Another place may have had more of them.
    if (lane < lanes) published.set(lane, told)
  }
  return published
}

/** Whatever timelines there are: none of them is to be believed. */
export const noTimelines = (lanes: number): Map<number, number> =>
  new Map(Array.from({ length: lanes }, (_, lane) => [lane, NO_TIMELINE]))
