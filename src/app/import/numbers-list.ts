/** Typed lists that grow, and sorting of them: millions of edges take a few bytes each, without objects. */

const FIRST_LENGTH = 1 << 16

export class U32List {
  private values = new Uint32Array(FIRST_LENGTH)
  length = 0

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Uint32Array(this.values.length * 2)
      grown.set(this.values)
      this.values = grown
    }
    this.values[this.length++] = value
  }

  view(): Uint32Array {
    return this.values.subarray(0, this.length)
  }
}

/**
 * A stable counting sort of items by `keys`, which are below `keyEnd`.
 * @param order of the items before; 0, 1, 2 … by default
 * @returns the order of the items after
 */
export function sortBy(keys: Uint32Array, keyEnd: number, order?: Uint32Array): Uint32Array {
  const starts = new Uint32Array(keyEnd + 1)
  for (let i = 0; i < keys.length; i++) starts[keys[i] + 1]++
  for (let key = 0; key < keyEnd; key++) starts[key + 1] += starts[key]
  const sorted = new Uint32Array(keys.length)
  for (let i = 0; i < keys.length; i++) {
    const item = order === undefined ? i : order[i]
    sorted[starts[keys[item]]++] = item
  }
  return sorted
}

/** Values in groups, one after the other: group g is `values[starts[g]]` to before `values[starts[g + 1]]`, sorted. */
export interface Grouped {
  readonly starts: Uint32Array
  readonly values: Uint32Array
}

/** Groups pairs (keys[i], values[i]) by key; both below `end`. */
export function groupBy(keys: Uint32Array, values: Uint32Array, end: number): Grouped {
  const order = sortBy(keys, end, sortBy(values, end))
  const starts = new Uint32Array(end + 1)
  for (let i = 0; i < keys.length; i++) starts[keys[i] + 1]++
  for (let key = 0; key < end; key++) starts[key + 1] += starts[key]
  const sorted = new Uint32Array(values.length)
  for (let i = 0; i < order.length; i++) sorted[i] = values[order[i]]
  return { starts, values: sorted }
}

/** The union of two sorted lists, sorted and without repeats. */
export function union(one: Uint32Array, other: Uint32Array): Uint32Array {
  const merged = new Uint32Array(one.length + other.length)
  let length = 0
  for (let i = 0, j = 0; i < one.length || j < other.length; length++) {
    const next = j >= other.length || (i < one.length && one[i] <= other[j]) ? one[i] : other[j]
    if (one[i] === next) i++
    if (other[j] === next) j++
    merged[length] = next
  }
  return merged.slice(0, length)
}
