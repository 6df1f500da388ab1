/**
 * Calls a reactor so that one event cannot stop it. An error that will pass (an engine is away) is waited out. Any
 * other is tried a few times; then the events of the batch go one by one, and those that still fail are buried as dead
 * letters under the reactor's name.
 */

import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { Reactor } from '../domain.ts'
import { encodeEvent, type Event } from '../events.ts'
import { isPoison, type DeadLetters } from './dead-letters.ts'

const TRIES = 3
const PAUSE_MS = 200

export interface ReactOptions {
  readonly env: Env
  readonly deadLetters: DeadLetters
  /** Notes on each event what was decided on it, where that is not known yet. */
  readonly recall: (events: readonly Event[]) => Promise<void>
  /** Tries again what fails for a while only. */
  readonly retry: <T>(task: () => Promise<T>) => Promise<T>
}

/** Resolves when every event is reacted to or buried. Rejects with an error of this process, such as a broken disk. */
export type React = (reactor: Reactor, events: readonly Event[]) => Promise<void>

export function createReact({ env, deadLetters, recall, retry }: ReactOptions): React {
  async function once(reactor: Reactor, events: readonly Event[]): Promise<void> {
    const { concurrency = 1 } = reactor
    if (concurrency === 1 || events.length === 1) return reactor.react(events)
    await Promise.all(
      byKey(events, concurrency).map((some) => (some.length > 0 ? reactor.react(some) : undefined)),
    )
  }

  async function each(reactor: Reactor, events: readonly Event[]): Promise<void> {
    for (const event of events) {
      for (let tries = 1; ; tries++) {
        try {
          await retry(() => reactor.react([event]))
          break
        } catch (error) {
          if (!isPoison(error)) throw error
          if (tries === TRIES) {
            await bury(reactor, event, error)
            break
          }
        }
        await sleep(env, PAUSE_MS)
      }
    }
  }

  async function bury(reactor: Reactor, event: Event, reason: unknown): Promise<void> {
    const { partition, position, key } = event
    const value = encodeEvent(event.type, event.id, key, event.body, event.idempotency)
    const place = { partition, position, key, value, reactor: reactor.name }
    await retry(() => deadLetters.bury(place, reason))
    await retry(async () => reactor.buried?.(event))
  }

  return async (reactor, events) => {
    if (events.length === 0) return
    if (events.some(isUndecided)) await retry(() => recall(events))
    try {
      await retry(() => once(reactor, events))
    } catch (error) {
      if (!isPoison(error)) throw error
      await each(reactor, events)
    }
  }
}

/** It was read from the log again, or was buried before. */
const isUndecided = ({ type, decision }: Event): boolean =>
  type.decision !== undefined && decision === undefined

/** Events of one key stay together and in order. */
function byKey(events: readonly Event[], groups: number): Event[][] {
  const lists = Array.from({ length: groups }, (): Event[] => [])
  for (const event of events) lists[event.key % groups].push(event)
  return lists
}
