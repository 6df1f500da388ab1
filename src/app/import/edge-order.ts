/** Turns the rows of an edge list into follows in the order of account numbers, without repeated rows. */

import type { EdgeRows } from './edge-rows.ts'
import { groupBy, sortBy, U32List, type Grouped } from './numbers-list.ts'
import type { Problems } from './problems.ts'

/**
 * Follows by follower. Accounts are given by rank, their place among all accounts of the import by number, so a list
 * that is sorted by rank is sorted by number, too.
 */
export interface Follows {
  /** The account number of each rank. */
  readonly numberOf: Uint32Array
  readonly byFollower: Grouped
}

export function orderEdges(
  rows: EdgeRows,
  numbers: Uint32Array,
  mutual: boolean,
  problems: Problems,
): Follows {
  const { numberOf, rankOf } = rank(numbers)
  const from = rows.from.map((index) => rankOf[index])
  const to = rows.to.map((index) => rankOf[index])
  const kept = withoutRepeats(from, to, numberOf.length, mutual, (row) =>
    problems.note(rows.placeOf(row), 'duplicate'),
  )
  const edges = mutual ? kept.length * 2 : kept.length
  const [followers, followees] = [new Uint32Array(edges), new Uint32Array(edges)]
  kept.forEach((row, i) => {
    followers[i] = from[row]
    followees[i] = to[row]
    if (!mutual) return
    followers[kept.length + i] = to[row]
    followees[kept.length + i] = from[row]
  })
  return { numberOf, byFollower: groupBy(followers, followees, numberOf.length) }
}

function rank(numbers: Uint32Array): { numberOf: Uint32Array; rankOf: Uint32Array } {
  const order = Uint32Array.from(numbers, (_, index) => index)
  const isSorted = numbers.every((number, i) => i === 0 || numbers[i - 1] < number)
  if (!isSorted) order.sort((a, b) => numbers[a] - numbers[b])
  const rankOf = new Uint32Array(numbers.length)
  order.forEach((index, rank) => (rankOf[index] = rank))
  return { numberOf: order.map((index) => numbers[index]), rankOf }
}

/** The rows without repeats: of equal rows, the first in the file. With `mutual`, a row equals its reverse. */
function withoutRepeats(
  from: Uint32Array,
  to: Uint32Array,
  end: number,
  mutual: boolean,
  onRepeat: (row: number) => void,
): Uint32Array {
  const one = mutual ? from.map((rank, i) => Math.min(rank, to[i])) : from
  const other = mutual ? to.map((rank, i) => Math.max(rank, from[i])) : to
  const order = sortBy(one, end, sortBy(other, end))
  const repeats = new U32List()
  const kept = new U32List()
  for (let i = 0; i < order.length; i++) {
    const [row, before] = [order[i], order[i - 1]]
    const isRepeat = i > 0 && one[row] === one[before] && other[row] === other[before]
    ;(isRepeat ? repeats : kept).push(row)
  }
  repeats.view().sort().forEach(onRepeat)
  return kept.view()
}
