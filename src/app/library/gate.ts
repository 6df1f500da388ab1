/** Lets calls through until they are to be refused, and knows those under way. */

import { RivuletError } from '../../core/errors.ts'
import { within } from '../../ports/env/deadlines.ts'
import type { Env } from '../../ports/env/env.ts'

export interface Gate {
  pass<T>(call: () => Promise<T>): Promise<T>
  /** For good; the first reason stands. */
  refuse(reason: RivuletError): void
  /** Refuses what comes; resolves when nothing is under way, or after that time. */
  close(withinMs: number): Promise<void>
}

export function createGate(env: Env): Gate {
  const underWay = new Set<Promise<unknown>>()
  let refusal: RivuletError | undefined
  const gate: Gate = {
    async pass(call) {
      if (refusal !== undefined) throw new RivuletError(refusal.code, refusal.message, { cause: refusal })
      const task = call()
      underWay.add(task)
      try {
        return await task
      } finally {
        underWay.delete(task)
      }
    },
    refuse(reason) {
      refusal ??= reason
    },
    async close(withinMs) {
      gate.refuse(new RivuletError('shutting_down', 'this Rivulet is closed'))
      await within(env, withinMs, Promise.allSettled(underWay)).catch(() => undefined)
    },
  }
  return gate
}
