/**
 * Watches whether this process can serve requests: it must reach the log and the store. Both are asked every few
 * seconds, not for every probe. Timelines may be away, because reads can do without them; and a fan-out that lags
 * behind does not make a process unready.
 */

import { within } from '../../ports/env/deadlines.ts'
import type { Env } from '../../ports/env/env.ts'
import type { OpenPorts } from '../ports/parts.ts'

const LOOK_EVERY_MS = 2_000
const ANSWER_WITHIN_MS = 2_000

export interface Readiness {
  /** Why requests cannot be served now; `undefined` when they can. */
  notReady(): string | undefined
  close(): Promise<void>
}

/** @param refusal why no write can be taken although log and store are reached; `undefined` if writes are taken */
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
