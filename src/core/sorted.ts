/** Sorted typed arrays: the form in which sets of account numbers are kept and searched. */

/** Index of the first value ≥ `wanted`; the length when there is none. */
export function lowerBound(values: ArrayLike<number>, wanted: number, length = values.length): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle] < wanted) low = middle + 1
    else high = middle
  }
  return low
}

export function includesSorted(values: ArrayLike<number>, wanted: number): boolean {
  return values[lowerBound(values, wanted)] === wanted
}

export function insertSorted(values: Uint32Array, value: number): Uint32Array {
  const at = lowerBound(values, value)
  if (values[at] === value) return values
  const grown = new Uint32Array(values.length + 1)
  grown.set(values.subarray(0, at))
  grown[at] = value
  grown.set(values.subarray(at), at + 1)
  return grown
}

export function removeSorted(values: Uint32Array, value: number): Uint32Array {
  const at = lowerBound(values, value)
  if (values[at] !== value) return values
  const shrunk = new Uint32Array(values.length - 1)
  shrunk.set(values.subarray(0, at))
  shrunk.set(values.subarray(at + 1), at)
  return shrunk
}
