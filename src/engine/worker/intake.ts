/**
 * Takes batches of the log in: decodes their records and projects the events to rows. An event that cannot be projected
 * is buried as a dead letter and holds nobody up; an event that repeats a request is passed over.
 */

import { isRivuletError, RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { Log, LogBatch } from '../../ports/log/log.ts'
import { isPoison, type Buried, type DeadLetters } from './dead-letters.ts'
import type { Reactor } from '../domain.ts'
import type { Event, EventDecoder } from '../events.ts'
import { isProgress } from '../processes/progress.ts'
import type { Derived, Following } from '../rows/effects.ts'
import type { Projector } from '../rows/project.ts'
import { isRedelivered, type Redelivered } from './redelivery.ts'

export interface IntakeOptions {
  readonly env: Env
  readonly log: Pick<Log, 'epoch'>
  readonly decode: EventDecoder
  readonly projector: Projector
  readonly deadLetters: DeadLetters
  readonly appendDerived: (derived: Derived) => Promise<unknown>
  /** Rows of the events stand: timers are watched for, signals go out. */
  readonly onFollowing: (following: Following) => void
  /** Called with each event as it is read. */
  readonly onRead: (event: Event) => void
  readonly reactors: readonly Reactor[]
}

/** The events of some batches, in their order. */
export interface TakenIn {
  /** Their rows stand. */
  readonly taken: readonly Event[]
  /** They stand in the log, and have no effect: they repeat a request, or were buried. */
  readonly skipped: readonly Event[]
}

export interface Intake {
  take(batches: readonly LogBatch[]): Promise<TakenIn>
}

type Record = Pick<Buried, 'position' | 'key'>

const TRIES = 3
/** The cause may be the store after all, and not the event. */
const PAUSE_MS = 500
/** Where other events of the batch went through, the cause is the event. */
const SHORT_PAUSE_MS = 20

export function createIntake(
  options: IntakeOptions,
  retry: <T>(task: () => Promise<T>) => Promise<T>,
): Intake {
  const { env, projector, deadLetters, appendDerived, onFollowing } = options
  const decodeBatch = createBatchDecoder(options, bury)

  /** Rejects if one of them, at least, cannot be projected. */
  async function projectAll(events: readonly Event[], refusal?: string): Promise<TakenIn> {
    const { taken, ...following } = await retry(() => projector.project(events, refusal))
    if (following.scheduled.length + following.signals.length > 0) onFollowing(following)
    // Each is tried again by itself: of very many, one may fail at every attempt.
    await Promise.all(following.derived.map((one) => retry(() => appendDerived(one))))
    if (taken.length === events.length) return { taken: events, skipped: [] }
    return { taken, skipped: events.filter((event) => !taken.includes(event)) }
  }

  /** One by one: buries those that cannot be projected, and takes the others. */
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

  /** @returns the reason, where the event cannot be projected */
  async function projectOne(event: Event, pauseMs: number): Promise<TakenIn | { reason: unknown }> {
    for (let tries = 1; ; tries++) {
      try {
        return await projectAll([event])
      } catch (error) {
        if (!isPoison(error)) throw error
        if (tries === TRIES) {
          // Whether a later owner could take it would be chance; a decision must not hang on that.
          return event.type.decision === undefined ? { reason: error } : projectAll([event], 'internal')
        }
      }
      await sleep(env, pauseMs)
    }
  }

  function bury({ partition, positions, values }: LogBatch, record: Record, reason: unknown): Promise<void> {
    const value = values[positions.indexOf(record.position)]
    const { position, key } = record
    return retry(() => deadLetters.bury({ partition, position, key, value }, reason))
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

/** Records of a batch → events. Records that are none, or that nobody here can take, are buried. */
function createBatchDecoder(
  { log, decode, onRead, reactors }: IntakeOptions,
  bury: (batch: LogBatch, record: Record, reason: unknown) => Promise<void>,
): (batch: LogBatch) => Promise<Event[]> {
  const names = new Set(reactors.map(({ name }) => name))

  /** @throws where nobody here can take the event that is delivered again */
  function assertDeliverable({ body, partition, position }: Redelivered): void {
    if (!names.has(body.reactor)) {
      throw new RivuletError(
        'data_corrupt',
        `it was replayed for the reactor ${body.reactor}, which this version does not have`,
      )
    }
    decode(Buffer.from(body.value, 'base64'), body.epoch, partition, position)
  }

  return async (batch) => {
    const events: Event[] = []
    for (const [i, value] of batch.values.entries()) {
      const position = batch.positions[i]
      try {
        const event = decode(value, log.epoch, batch.partition, position)
        if (isRedelivered(event)) assertDeliverable(event)
        if (!isProgress(event)) events.push(event)
      } catch (error) {
        if (!isRivuletError(error, 'data_corrupt')) throw error
        await bury(batch, { position, key: undefined }, error)
      }
    }
    for (const event of events) onRead(event)
    return events
  }
}
