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
  partition: (_view: string, _lane: number) => 'ids',
  sort: (view: string, lane: number) => `${view}.${u32Key(lane)}`,
  value: struct({ id: u53, published: u53 }),
})

/** Saved in place of a published horizon, this is above every header: the next start gives up all timelines. */
export const NO_TIMELINE = ID_MAX

const ROWS_MAX = 10_000

/** Ids as no view has them; a process without views saves its highest id under this name. */
const NO_VIEW = ''

/**
 * Saves a new id as the highest. The id is also the version of the rows, so that a later save always replaces them.
 * @param published by view and lane: the horizon that was written to the view
 */
export async function saveHighestId(
  store: Store,
  ids: IdSource,
  published: ReadonlyMap<string, ReadonlyMap<number, number>>,
): Promise<void> {
  const id = ids.next()
  const rows = [...published].flatMap(([view, lanes]) =>
    [...lanes].map(([lane, told]) =>
      highestIdTable.row(highestIdTable.key(view, lane), id, { id, published: told }),
    ),
  )
  rows.push(highestIdTable.row(highestIdTable.key(NO_VIEW, 0), id, { id, published: 0 }))
  await store.write(rows)
}

/**
 * Makes sure that later ids are above the saved one.
 * @returns a function of a view and its number of lanes: by lane, the saved horizon; the header of an intact timeline
 * is at or above it
 */
export async function loadHighestId(
  store: Store,
  ids: IdSource,
): Promise<(view: string, lanes: number) => Map<number, number>> {
  const { partition } = highestIdTable.key(NO_VIEW, 0)
  const [rows] = await store.range([{ table: highestIdTable, partition, from: '', limit: ROWS_MAX }])
  const saved = new Map<string, Map<number, number>>()
  for (const row of rows) {
    const { id, published: told } = highestIdTable.decode(row)
    ids.observe(id)
    const [view, lane] = nameOf(row.sort)
    const lanes = saved.get(view)
    if (lanes === undefined) saved.set(view, new Map([[lane, told]]))
    else lanes.set(lane, told)
  }
  return (view, lanes) => {
    const own = saved.get(view) ?? saved.get(UNNAMED)
    // A deployment that was moved may have had more lanes before.
    return new Map(Array.from({ length: lanes }, (_, lane) => [lane, own?.get(lane) ?? 0]))
  }
}

/** Version 0.1.0 had one view, and its rows no name: they hold for every view that has none of its own. */
const UNNAMED = '0.1.0'

function nameOf(sort: string): [view: string, lane: number] {
  const dot = sort.lastIndexOf('.')
  if (dot < 0) return [UNNAMED, sort === '' ? 0 : parseKey(sort)]
  return [sort.slice(0, dot), parseKey(sort.slice(dot + 1))]
}

/** For `saveHighestId`, after an import for example: no timeline that exists now may be used again. */
export const noTimelines = (lanes: number): Map<number, number> =>
  new Map(Array.from({ length: lanes }, (_, lane) => [lane, NO_TIMELINE]))
