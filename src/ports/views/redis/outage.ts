/**
 * The state of a group while Redis does not answer. Fan-out does not wait for it: the group counts as lost, and a
 * probe tries to give it a new generation until Redis takes that. Then the group is in use again, its timelines gone.
 */

import type { Env } from '../../env/env.ts'

export interface OutageOptions {
  readonly env: Pick<Env, 'timer' | 'random'>
  /** Gives the group a new generation; rejects while Redis does not answer. */
  readonly reset: () => Promise<void>
  readonly onEnd: () => void
  /** Counts the groups of this process that are lost. */
  readonly stats: { lost: number }
  readonly onNotice: (text: string) => void
}

export interface Outage {
  readonly isOn: boolean
  /** Does nothing while it is on. */
  begin(error: unknown): void
  stop(): void
}

const PROBE_MS = 500

export function createOutage({ env, reset, onEnd, stats, onNotice }: OutageOptions): Outage {
  let isOn = false
  let isStopped = false
  let probe: { cancel(): void } | undefined

  function schedule(): void {
    probe = env.timer(PROBE_MS * (0.5 + env.random()), () => {
      if (!isStopped) reset().then(end, schedule)
    })
  }

  function end(): void {
    isOn = false
    stats.lost--
    if (stats.lost === 0) onNotice('Redis takes all timelines again')
    onEnd()
  }

  return {
    get isOn() {
      return isOn
    },
    begin(error) {
      if (isOn) return
      isOn = true
      stats.lost++
      if (stats.lost === 1) {
        onNotice(`Redis does not take some timelines; fan-out goes on without them: ${detailOf(error)}`)
      }
      schedule()
    },
    stop() {
      isStopped = true
      probe?.cancel()
    },
  }
}

const detailOf = (error: unknown): string => {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}
