/** One process works through all lanes of the views as one: what holds for it holds for each of them. */

import type { LaneHorizons, ViewHeader } from '../ports/views/views.ts'

export const everyLane = (lanes: number, id: number): LaneHorizons =>
  new Map(Array.from({ length: lanes }, (_, lane) => [lane, id]))

/** Lost entries of one lane at least: what was published stood higher in all. */
export function isBehind({ horizons }: ViewHeader, published: number): boolean {
  for (let lane = 0; lane < horizons.length; lane++) if (horizons[lane] < published) return true
  return false
}
