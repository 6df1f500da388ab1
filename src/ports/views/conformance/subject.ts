/** Opens the views under test, closes them after each case, and names what the suite's cases do most. */

import type { LaneHorizons, ViewPage, Views } from '../views.ts'
import { fromEntries, LANES, toEntries, type Entry } from './model.ts'

export type OpenViews = (options: { readonly capacity: number; readonly lanes: number }) => Promise<Views>

export class Subject {
  readonly #openViews: OpenViews
  readonly #opened: Views[] = []

  constructor(openViews: OpenViews) {
    this.#openViews = openViews
  }

  /** Empty views. */
  async open(capacity = 5): Promise<Views> {
    const views = await this.#openViews({ capacity, lanes: LANES })
    this.#opened.push(views)
    return views
  }

  async closeAll(): Promise<void> {
    for (const views of this.#opened.splice(0)) await views.close()
  }
}

export const openOne = async (views: Views, owner: number): Promise<number> => (await views.open([owner]))[0]

export const insert = (views: Views, owner: number, ...ids: number[]): Promise<unknown> =>
  views.insert(ids.map((id) => ({ ...entry(id), owners: Uint32Array.of(owner) })))

/** Ids below 2^32 have a ref each, unless a case gives another one. */
export const entry = (id: number, ref = id >>> 0): Entry => ({ id, ref, kind: id % 2_048 })
export const entriesOf = (...ids: number[]) => toEntries(ids.map((id) => entry(id)))
export const idsOf = (page: ViewPage | undefined) => page && fromEntries(page.entries).map(({ id }) => id)
export const byLane = (...horizons: [lane: number, id: number][]): LaneHorizons => new Map(horizons)
