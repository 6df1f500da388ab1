/** Writes the following rows of imported follows: packed followees, united with those of earlier imports. */

import { includesSorted } from '../../core/sorted.ts'
import { followingPackedTable } from '../../graph/index.ts'
import type { RowWrite } from '../../ports/store/store.ts'
import { createBulkWriter } from './bulk-writer.ts'
import { readCircleRows, type CircleRow } from './circle-rows.ts'
import { union, type Grouped } from './numbers-list.ts'
import type { EdgeWriting } from './write-followers.ts'

const ROW_NUMBERS = 1_000
const BATCH_FOLLOWERS = 512
const NO_NUMBERS = new Uint32Array(0)
const NO_IDS = new Float64Array(0)

export async function writeFollowing(writing: EdgeWriting, { starts, values }: Grouped): Promise<void> {
  const { numberOf, store, isFresh, progress } = writing
  const writer = createBulkWriter(store)
  for (let first = 0; first < numberOf.length; first += BATCH_FOLLOWERS) {
    const end = Math.min(numberOf.length, first + BATCH_FOLLOWERS)
    const known = isFresh
      ? undefined
      : await readCircleRows(store, followingPackedTable, numberOf.subarray(first, end))
    for (let rank = first; rank < end; rank++) {
      const followees = values.subarray(starts[rank], starts[rank + 1]).map((other) => numberOf[other])
      if (followees.length > 0) {
        await writer.add(packedRows(writing, numberOf[rank], followees, known?.[rank - first] ?? []))
      }
    }
    progress(starts[end], values.length)
  }
  await writer.end()
}

/** Follows of earlier imports keep their ids. A row that is not needed any more is written empty. */
function packedRows(
  { id, version }: EdgeWriting,
  follower: number,
  followees: Uint32Array,
  known: readonly CircleRow<{ numbers: Uint32Array; ids: Float64Array }>[],
): RowWrite[] {
  const before = known.map(({ value }) => value)
  const whole = before.reduce((all, { numbers }) => union(all, numbers), followees)
  if (before.length > 0 && whole.length === before.reduce((sum, { numbers }) => sum + numbers.length, 0)) {
    return []
  }
  const idOf = (number: number) => {
    const row = before.find(({ numbers }) => includesSorted(numbers, number))
    return row === undefined ? id : row.ids[row.numbers.indexOf(number)]
  }
  const rows: RowWrite[] = []
  const row = (sort: number, numbers: Uint32Array, ids: Float64Array) =>
    followingPackedTable.row(followingPackedTable.key(follower, sort), version, { numbers, ids })
  const firsts = new Set<number>()
  for (let at = 0; at < whole.length; at += ROW_NUMBERS) {
    const numbers = whole.slice(at, at + ROW_NUMBERS)
    const ids =
      before.length === 0 ? new Float64Array(numbers.length).fill(id) : Float64Array.from(numbers, idOf)
    rows.push(row(numbers[0], numbers, ids))
    firsts.add(numbers[0])
  }
  const gone = known.map(({ other }) => other).filter((first) => !firsts.has(first))
  return [...rows, ...gone.map((first) => row(first, NO_NUMBERS, NO_IDS))]
}
