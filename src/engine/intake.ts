/**
 * Batches of the log → events whose rows stand. One that cannot be taken in is put aside, and holds nobody up; one
 * that repeats a request for which another stands is passed over.
 */

import { isRivuletError } from '../core/errors.ts'
import type { Env } from '../ports/env/env.ts'
import { sleep } from '../ports/env/sleep.ts'
import type { Log, LogBatch } from '../ports/log/log.ts'
import { isPoison, type Buried, type DeadLetters } from './dead-letters.ts'
import type { Event, EventDecoder } from './events.ts'
import { isProgress } from './progress.ts'
import type { Derived, Projector } from './project.ts'

export interface IntakeOptions {
  readonly env: Env
  readonly log: Pick<Log, 'epoch'>
  readonly decode: EventDecoder
  readonly project: Projector
  readonly deadLetters: DeadLetters
  readonly appendDerived: (derived: readonly Derived[]) => Promise<void>
  /** Called with each event as it is read, before anything else. */
  readonly onRead: (event: Event) => void
  /** It stands in the log, and nothing will come of it. */
  readonly onSkipped: (partition: number, position: number) => void
  /** Called for each event once all that follows from it is done. */
  readonly onDone: (event: Event) => void
}

export interface Intake {
  /** @returns the events that were taken in, in the order of the batches */
  take(batches: readonly LogBatch[]): Promise<Event[]>
}

const TRIES = 3
const PAUSE_MS = 500

export function createIntake(
  options: IntakeOptions,
  retry: <T>(task: () => Promise<T>) => Promise<T>,
): Intake {
  const { env, log, decode, project, deadLetters, appendDerived, onRead, onSkipped, onDone } = options

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

  async function projectAll(batches: readonly LogBatch[], events: Event[], tries = 1): Promise<Event[]> {
    if (events.length === 0) return events
    try {
      const { derived, taken } = await retry(() => project(events))
      if (derived.length > 0) await retry(() => appendDerived(derived))
      if (taken.length === events.length) return events
      for (const event of events) if (!taken.includes(event)) skip(event)
      return [...taken]
    } catch (error) {
      if (!isPoison(error)) throw error
      if (events.length > 1) return projectEach(batches, events)
      // Should it be the store after all, and not the event: a little patience.
      if (tries < TRIES) {
        await sleep(env, PAUSE_MS)
        return projectAll(batches, events, tries + 1)
      }
      const [event] = events
      await bury(batches.find(({ partition }) => partition === event.partition) as LogBatch, event, error)
      skip(event)
      return []
    }
  }

  async function projectEach(batches: readonly LogBatch[], events: readonly Event[]): Promise<Event[]> {
    const sound: Event[] = []
    for (const event of events) sound.push(...(await projectAll(batches, [event])))
    return sound
  }

  function skip(event: Event): void {
    onSkipped(event.partition, event.position)
    onDone(event)
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
      const decoded = await Promise.all(batches.map(decodeBatch))
      return projectAll(batches, decoded.flat())
    },
  }
}
