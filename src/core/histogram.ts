/**
 * Counts of measurements in fixed buckets: cheap enough for the hottest path (a short scan, two additions),
 * exact in count and sum, and bounded whatever is measured.
 */

export class Histogram {
  /** Upper bounds, inclusive, rising. */
  readonly bounds: readonly number[]
  /** One per bound, and a last one for what lies above all of them. */
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

/** From a tenth of a millisecond to ten seconds: requests and reads. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000,
]

/**
 * From ten milliseconds to ten minutes: how long a post is on its way to its readers. When it was accepted, its id
 * tells, in ticks of ten milliseconds.
 */
export const DELAY_BOUNDS_MS: readonly number[] = [
  10, 25, 50, 100, 200, 500, 1_000, 2_000, 5_000, 15_000, 60_000, 600_000,
]
