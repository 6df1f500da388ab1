/** Knows the calls under way, and refuses new ones once the Rivulet is closed or has failed. */

import { RivuletError } from '../../core/errors.ts'
import { within } from '../../ports/env/deadlines.ts'
import type { Env } from '../../ports/env/env.ts'

export interface Gate {
  pass<T>(call: () => Promise<T>): Promise<T>
  /** Refuses all calls from now on; the first reason is kept. */
  refuse(reason: RivuletError): void
  /** Refuses new calls; resolves when no call is under way, or after this time. */
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
