/**
 * What every log adapter must do, as a vitest suite: a test file of the adapter calls `logConformance`. It asserts
 * only what the port promises, never what one engine happens to do better.
 *
 *   logConformance({ name: 'memory', create: async () => ({ open: async () => createMemoryLog(…) }) })
 */

import { afterEach, beforeEach, describe } from 'vitest'
import { appendedBytes, appending } from './conformance/appending.ts'
import { assigning } from './conformance/assigning.ts'
import { batches, groups } from './conformance/consuming.ts'
import type { Context, LogUnderTest } from './conformance/context.ts'
import { following, leaving } from './conformance/following.ts'
import { refusing } from './conformance/refusing.ts'
import { reopening } from './conformance/reopening.ts'
import { seeking } from './conformance/seeking.ts'

export type { LogUnderTest } from './conformance/context.ts'

export interface LogConformanceOptions {
  readonly name: string
  /** A new, empty log. */
  readonly create: () => Promise<LogUnderTest>
  readonly supports?: {
    /** The content survives `close` and another `open` (default: yes). */
    readonly reopen?: boolean
    /** A bound of unsynced bytes that is low enough to be reached with 64 MiB (default: no). */
    readonly overload?: boolean
  }
}

export function logConformance({ name, create, supports = {} }: LogConformanceOptions): void {
  describe(`${name}: the promises of a log`, () => {
    const context = {} as Context // complete once `beforeEach` has run
    beforeEach(async () => {
      context.subject = await create()
      context.log = await context.subject.open()
    })
    afterEach(async () => {
      await context.log.close()
      await context.subject.remove?.()
    })
    appending(context)
    appendedBytes(context)
    batches(context)
    groups(context)
    seeking(context)
    assigning(context)
    following(context)
    leaving(context)
    refusing(context, supports.overload ?? false)
    if (supports.reopen ?? true) reopening(context)
  })
}
