/**
 * One group of timelines in Redis, changed by this process one change at a time. When Redis does not answer for
 * longer than a failover takes, the group counts as lost and changes of it are skipped, so that fan-out goes on: an
 * insert then finds no timeline, and the first change that Redis takes again is a new generation (outage.ts).
 */

import { isRetriable, RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { sleep } from '../../env/sleep.ts'
import type { Reply } from '../../drivers/redis.ts'
import type { Change } from './history.ts'
import type { Lanes } from './lanes.ts'
import { createOutage } from './outage.ts'
import { ADVANCE } from './scripts.ts'
import { createWriter, type WriterOptions, type WriterStats } from './writer.ts'

export interface GroupOptions extends WriterOptions {
  readonly env: Env
  readonly onNotice: (text: string) => void
  readonly lanes: Pick<Lanes, 'wanted' | 'all'>
  readonly stats: GroupStats
}

export interface GroupStats extends WriterStats {
  /** Groups that count as lost until Redis answers again. */
  lost: number
}

export interface Group {
  /**
   * Undefined while the group is lost: nothing was changed. An empty reply for a change that was made although its
   * answer was lost.
   */
  change(change: Change): Promise<readonly Reply[] | undefined>
  /** Begins a new generation, in turn: after the changes asked for before, before those asked for later. */
  giveUp(): Promise<void>
  stop(): void
}

/** Longer than a failover takes. */
const GIVE_UP_MS = 12_000
const RETRY_MS = 100
const WAITING_CHANGES_MAX = 4_096

export function createGroup(options: GroupOptions): Group {
  const { env, lanes, stats, onNotice } = options
  const writer = createWriter(options)
  // Other groups may have got newer horizons while this one waited for its new generation.
  const catchUp = () =>
    change({ script: ADVANCE, args: [lanes.all()], isRepeatable: true }).catch(() => undefined)
  const outage = createOutage({ env, reset: writer.reset, onEnd: catchUp, stats, onNotice })
  let tail: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let isStopped = false

  async function persist(change: Change): Promise<readonly Reply[] | undefined> {
    const untilMs = env.monotonicMs() + GIVE_UP_MS
    while (!outage.isOn) {
      if (isStopped) throw new RivuletError('shutting_down', 'the views are closed')
      try {
        return await writer.make(change)
      } catch (error) {
        if (!isRetriable(error)) throw error
        // A Redis whose memory is full takes nothing for long: reads go on without these timelines.
        if (error.code === 'overloaded' || env.monotonicMs() > untilMs) outage.begin(error)
        else await sleep(env, RETRY_MS * (0.5 + env.random()))
      }
    }
    return undefined
  }

  function change(change: Change): Promise<readonly Reply[] | undefined> {
    if (outage.isOn) return Promise.resolve(undefined)
    if (waiting >= WAITING_CHANGES_MAX) {
      const error = new RivuletError('overloaded', 'too many changes of timelines wait for Redis; try again')
      return Promise.reject(error)
    }
    waiting++
    const done = tail.then(() => persist(change)).finally(() => waiting--)
    tail = done.catch(() => undefined)
    return done
  }

  async function resetNow(): Promise<void> {
    if (!outage.isOn && !isStopped) await writer.reset().catch(outage.begin)
  }

  return {
    change,
    giveUp() {
      const done = tail.then(resetNow)
      tail = done
      return done
    },
    stop() {
      isStopped = true
      outage.stop()
    },
  }
}
