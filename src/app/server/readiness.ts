/**
 * Whether this process can take requests: it must reach the log and the store. Asked of them now and then, not by
 * each who wants to know. Timelines may be away, since reads do without; so may be the fan-out behind.
 */

import { within } from '../../ports/env/deadlines.ts'
import type { Env } from '../../ports/env/env.ts'
import type { OpenPorts } from '../ports/parts.ts'

const LOOK_EVERY_MS = 2_000
const ANSWER_WITHIN_MS = 2_000

export interface Readiness {
  /** Nothing when all is well. */
  notReady(): string | undefined
  close(): Promise<void>
}

/** @param refusal why no write can be taken although both are reached, if so */
export function watchReadiness(
  env: Env,
  { log, store }: Pick<OpenPorts, 'log' | 'store'>,
  refusal: () => string | undefined = () => undefined,
): Readiness {
  const asked = [
    { name: 'the log', ask: (): Promise<unknown> => log.bounds() },
    { name: 'the store', ask: (): Promise<unknown> => store.watermark() },
  ]
  let away: readonly string[] = []
  let timer: { cancel(): void } | undefined
  let isClosed = false

  async function look(): Promise<void> {
    const answers = await Promise.allSettled(asked.map(({ ask }) => within(env, ANSWER_WITHIN_MS, ask())))
    away = asked.flatMap(({ name }, i) => (answers[i].status === 'rejected' ? [name] : []))
    if (!isClosed) timer = env.timer(LOOK_EVERY_MS, () => void look())
  }
  timer = env.timer(LOOK_EVERY_MS, () => void look())

  return {
    notReady: () => (away.length === 0 ? refusal() : `${away.join(' and ')} cannot be reached`),
    async close() {
      isClosed = true
      timer?.cancel()
    },
  }
}
