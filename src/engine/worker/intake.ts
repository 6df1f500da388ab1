/**
 * Batches of the log → events whose rows stand. One that cannot be taken in is put aside, and holds nobody up; one
 * that repeats a request for which another stands is passed over.
 */

import { isRivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { Log, LogBatch } from '../../ports/log/log.ts'
import { isPoison, type Buried, type DeadLetters } from './dead-letters.ts'
import type { Event, EventDecoder } from '../events.ts'
import { isProgress } from '../processes/progress.ts'
import type { Derived, Projector } from '../rows/project.ts'

export interface IntakeOptions {
  readonly env: Env
  readonly log: Pick<Log, 'epoch'>
  readonly decode: EventDecoder
  readonly project: Projector
  readonly deadLetters: DeadLetters
  readonly appendDerived: (derived: readonly Derived[]) => Promise<void>
  /** Called with each event as it is read, before anything else. */
  readonly onRead: (event: Event) => void
}

/** What became of the events of some batches, in their order. */
export interface TakenIn {
  /** Their rows stand. */
  readonly taken: readonly Event[]
  /** They stand in the log, and nothing will come of them. */
  readonly skipped: readonly Event[]
}

export interface Intake {
  take(batches: readonly LogBatch[]): Promise<TakenIn>
}

const TRIES = 3
/** It may be the store after all, and not the event. */
const PAUSE_MS = 500
/** While other events go through, it is the event. */
const SHORT_PAUSE_MS = 20

export function createIntake(
  options: IntakeOptions,
  retry: <T>(task: () => Promise<T>) => Promise<T>,
): Intake {
  const { env, log, decode, project, deadLetters, appendDerived, onRead } = options

  async function decodeBatch(batch: LogBatch): Promise<Event[]> {
    const events: Event[] = []
    for (const [i, value] of batch.values.entries()) {
      try {
        const event = decode(value, log.epoch, batch.partition, batch.positions[i])
        if (!isProgress(event)) events.push(event)
      } catch (error) {
        if (!isRivuletError(error, 'data_corrupt')) throw error
        await bury(batch, { position: batch.positions[i], key: undefined }, error)
      }
    }
    for (const event of events) onRead(event)
    return events
  }

  /** Rejects with what is wrong with one of them, at least. */
  async function projectAll(events: readonly Event[]): Promise<TakenIn> {
    const { derived, taken } = await retry(() => project(events))
    if (derived.length > 0) await retry(() => appendDerived(derived))
    if (taken.length === events.length) return { taken: events, skipped: [] }
    return { taken, skipped: events.filter((event) => !taken.includes(event)) }
  }

  /** One by one: those that cannot be taken in are put aside, the others go through. */
  async function projectEach(batches: readonly LogBatch[], events: readonly Event[]): Promise<TakenIn> {
    const taken: Event[] = []
    const skipped: Event[] = []
    for (const event of events) {
      const became = await projectOne(event, taken.length > 0 ? SHORT_PAUSE_MS : PAUSE_MS)
      if ('reason' in became) {
        const batch = batches.find(({ partition }) => partition === event.partition) as LogBatch
        await bury(batch, event, became.reason)
        skipped.push(event)
      } else {
        taken.push(...became.taken)
        skipped.push(...became.skipped)
      }
    }
    return { taken, skipped }
  }

  /** @returns the reason where it cannot be taken in */
  async function projectOne(event: Event, pauseMs: number): Promise<TakenIn | { reason: unknown }> {
    for (let tries = 1; ; tries++) {
      try {
        return await projectAll([event])
      } catch (error) {
        if (!isPoison(error)) throw error
        if (tries === TRIES) return { reason: error }
      }
      await sleep(env, pauseMs)
    }
  }

  async function bury(
    { partition, positions, values }: LogBatch,
    { position, key }: Pick<Buried, 'position' | 'key'>,
    reason: unknown,
  ): Promise<void> {
    const value = values[positions.indexOf(position)]
    await retry(() => deadLetters.bury({ partition, position, key, value }, reason))
  }

  return {
    async take(batches) {
      const events = (await Promise.all(batches.map(decodeBatch))).flat()
      if (events.length === 0) return { taken: [], skipped: [] }
      try {
        return await projectAll(events)
      } catch (error) {
        if (!isPoison(error)) throw error
        return projectEach(batches, events)
      }
    },
  }
}
