/**
 * What every adapter of the store port must do, as a vitest suite. An adapter's test calls it with a way
 * to open a store:
 *
 *   storeConformance({ name: 'memory', open: async ({ place, env }) => … })
 */

import { afterEach, beforeEach, describe } from 'vitest'
import { checkpoints } from './conformance/checkpoints.ts'
import { expiry } from './conformance/expiry.ts'
import { histories } from './conformance/histories.ts'
import { insertIfAbsent } from './conformance/insert-if-absent.ts'
import { closing, misuse } from './conformance/misuse.ts'
import { ranges } from './conformance/ranges.ts'
import { reads } from './conformance/reads.ts'
import { type OpenStore, Subject } from './conformance/subject.ts'
import { versions } from './conformance/versions.ts'
import { writes } from './conformance/writes.ts'

export { expectCode, scanAll } from './conformance/subject.ts'

export interface StoreHarness {
  readonly name: string
  /** A place is a name for data that outlives the store; a place never opened before is empty. */
  readonly open: OpenStore
  /** How many random histories to try. */
  readonly modelRuns?: number
}

export function storeConformance({ name, open, modelRuns = 60 }: StoreHarness): void {
  describe(`store conformance: ${name}`, () => {
    const subject = new Subject(open)
    beforeEach(() => subject.start())
    afterEach(() => subject.store.close())

    reads(subject)
    ranges(subject)
    versions(subject)
    writes(subject)
    insertIfAbsent(subject)
    expiry(subject)
    checkpoints(subject)
    misuse(subject)
    closing(subject)
    histories(subject, modelRuns)
  })
}
