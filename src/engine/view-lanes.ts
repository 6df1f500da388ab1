/** Where timelines stand, lane by lane, held against what was published. */

import type { ViewHeader } from '../ports/views/views.ts'

/** Lost entries of one lane at least: what was published of it stands higher. */
export function isBehind({ horizons }: ViewHeader, published: Float64Array): boolean {
  for (let lane = 0; lane < horizons.length; lane++) if (horizons[lane] < published[lane]) return true
  return false
}
