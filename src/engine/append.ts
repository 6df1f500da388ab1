/** Stamps events with ids and appends them to the log. */

import { RivuletError } from '../core/errors.ts'
import { Histogram, LATENCY_BOUNDS_MS } from '../core/histogram.ts'
import type { IdSource } from '../core/ids.ts'
import type { Env } from '../ports/env/env.ts'
import type { Log } from '../ports/log/log.ts'
import { encodeEvent, type EventType, type Idempotency } from './events.ts'

/** Events that this process has appended, and how long the log took to make them durable. */
export interface AppendStats {
  records: number
  /** Encoded events, without the log's own framing. */
  bytes: number
  /** In milliseconds; of appends that succeeded. */
  readonly latency: Histogram
}

export interface Appended {
  readonly id: number
  readonly appended: Promise<number>
}

export interface Appender {
  /**
   * @param body may be a function of the id that the event gets
   * @returns the event's id, and a promise of its position; throws `unavailable` when nothing may be appended now
   */
  append<B>(type: EventType<B>, key: number, body: B | ((id: number) => B), once?: Idempotency): Appended
  /** The same for a record that the caller encodes once it has an id. */
  appendRecord(type: EventType<any>, key: number, encode: (id: number) => Buffer): Appended
  readonly stats: AppendStats
}

/** Follows an event of this process from its id to its place in the log. */
export interface AppendTracker {
  /** Why nothing may be appended now, if so. */
  refusal(): string | undefined
  stamped(id: number, key: number, type: EventType<any>): void
  /** @param isNotice other processes need to have read it before a horizon that is told later */
  appended(id: number, key: number, position: number, isNotice: boolean): void
  failed(id: number, key: number, error: unknown): void
}

export interface AppenderOptions {
  readonly env: Env
  readonly log: Log
  readonly ids: IdSource
  readonly tracker: AppendTracker
}

const bodyFor = <B>(body: B | ((id: number) => B), id: number): B =>
  typeof body === 'function' ? (body as (id: number) => B)(id) : body

export function createAppender({ env, log, ids, tracker }: AppenderOptions): Appender {
  const stats: AppendStats = { records: 0, bytes: 0, latency: new Histogram(LATENCY_BOUNDS_MS) }

  async function write(id: number, key: number, value: Buffer, isNotice: boolean): Promise<number> {
    const startedAtMs = env.monotonicMs()
    try {
      const [position] = await log.append([{ key, value }])
      stats.records++
      stats.bytes += value.byteLength
      stats.latency.observe(env.monotonicMs() - startedAtMs)
      tracker.appended(id, key, position, isNotice)
      return position
    } catch (error) {
      tracker.failed(id, key, error)
      throw error
    }
  }

  function stamp(type: EventType<any>, key: number, encode: (id: number) => Buffer): Appended {
    const refusal = tracker.refusal()
    if (refusal !== undefined) throw new RivuletError('unavailable', refusal, { retryAfterMs: 1_000 })
    // No await between the id and the append: within a process, ids rise with positions.
    const id = ids.next()
    const value = encode(id)
    tracker.stamped(id, key, type)
    return { id, appended: write(id, key, value, type.isNotice === true) }
  }

  return {
    stats,
    append: (type, key, body, once) =>
      stamp(type, key, (id) => encodeEvent(type, id, key, bodyFor(body, id), once)),
    appendRecord: stamp,
  }
}
