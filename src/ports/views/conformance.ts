/** What every adapter of the views port must do, as a vitest suite: a test file of the adapter calls it. */

import fc from 'fast-check'
import { afterEach, describe, it } from 'vitest'
import { entries, pages } from './conformance/entries.ts'
import { floors, trimming } from './conformance/floors.ts'
import { headers } from './conformance/headers.ts'
import { lanes } from './conformance/lanes.ts'
import { keepingAll, keepingLatest, outcomesOfLatest, trimmingLatest } from './conformance/keep.ts'
import { LANES, Model, scenario } from './conformance/model.ts'
import { Subject } from './conformance/subject.ts'
import type { Keep, Views } from './views.ts'

export interface ViewsSuite {
  readonly name: string
  /** Gives empty views on every call, which keep what `keep` says. */
  open(options: { readonly capacity: number; readonly lanes: number }): Promise<Views>
  /** Default: `all`. An adapter's test calls the suite once for each. */
  readonly keep?: Keep
  /** `insert` also counts entries that the timeline has already: an adapter need not look. */
  readonly countsRepeats?: boolean
  /** How many random histories to try. */
  readonly runs?: number
}

export function viewsConformance(suite: ViewsSuite): void {
  const { name, open, keep = 'all', countsRepeats = false, runs = 300 } = suite
  describe(`views: ${name}, keep ${keep}`, () => {
    const subject = new Subject(open)
    afterEach(() => subject.closeAll())

    headers(subject)
    lanes(subject)
    entries(subject, countsRepeats)
    pages(subject)
    floors(subject)
    trimming(subject)
    if (keep === 'all') keepingAll(subject)
    else {
      keepingLatest(subject)
      trimmingLatest(subject)
      outcomesOfLatest(subject)
    }

    it('agrees with the naive model on random commands', async () => {
      await fc.assert(
        fc.asyncProperty(scenario, async ({ capacity, refs, commands }) => {
          const views = await open({ capacity, lanes: LANES })
          const model = new Model(views, keep, refs)
          for (const command of commands) await model.apply(command)
          await model.compareAll()
          await views.close()
        }),
        { numRuns: runs },
      )
    })
  })
}
