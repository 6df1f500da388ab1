/**
 * Counts measurements in fixed buckets. Cheap enough for the hottest path (a short scan, two additions); its count and
 * sum are exact, and its size does not depend on what is measured.
 */

export class Histogram {
  /** Upper bounds, inclusive, rising. */
  readonly bounds: readonly number[]
  /** One per bound, and one more for values above all bounds. */
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    const { bounds, counts } = this
    let at = 0
    while (at < bounds.length && value > bounds[at]) at++
    counts[at]++
    this.sum += value
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }
}

/** For requests and reads: a tenth of a millisecond to ten seconds. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000,
]

/**
 * For the time between accepting a post and inserting it into timelines: ten milliseconds to ten minutes. The post's id
 * says when it was accepted, in ticks of ten milliseconds.
 */
export const DELAY_BOUNDS_MS: readonly number[] = [
  10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 15_000, 60_000, 600_000,
]
