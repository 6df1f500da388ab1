/**
 * A dead letter of a reactor, appended to the log again: an engine's record around the buried event. Projections never
 * see the event a second time, and of all reactors only the one that had failed gets it.
 */

import { struct, text, u32, u53 } from '../../core/codec.ts'
import { rowVersion } from '../../ports/store/store.ts'
import type { Reactor } from '../domain.ts'
import { defineEvent, encodeEvent, ENGINE_TAGS, type Event, type EventDecoder } from '../events.ts'
import type { DeadLetter } from './dead-letters.ts'

export const redelivered = defineEvent(
  ENGINE_TAGS + 1,
  'redelivered',
  struct({
    reactor: text,
    /** Of the record that was buried: rows written for it carry the version that follows from these. */
    epoch: u32,
    position: u53,
    /** The encoded event, as base 64. */
    value: text,
  }),
)

export type Redelivered = Event<ReturnType<typeof redelivered.body.read>>

export const isRedelivered = (event: Event): event is Redelivered => (event.type as unknown) === redelivered

/** An engine's record is not an event of anybody: it needs no id. */
const NO_ID = 0

/** @returns the record that brings a dead letter back to the reactor which had failed on it */
export function redelivery({ reactor = '', epoch, position, value }: DeadLetter, key: number): Buffer {
  return encodeEvent(redelivered, NO_ID, key, { reactor, epoch, position, value })
}

/** Picks a reactor's events out of a batch; a redelivered one takes the place of its record in the log. */
export function createPick(
  reactor: Reactor,
  decode: EventDecoder,
): (events: readonly Event[]) => readonly Event[] {
  const takes = new Set(reactor.takes)
  const isTaken = (event: Event) =>
    takes.has(event.type) || (isRedelivered(event) && event.body.reactor === reactor.name)

  function unwrapped(event: Event): Event {
    if (!isRedelivered(event)) return event
    const { value, epoch, position } = event.body
    const inner = decode(Buffer.from(value, 'base64'), epoch, event.partition, event.position)
    return { ...inner, version: rowVersion(epoch, position) }
  }

  return (events) =>
    events.every(({ type }) => takes.has(type)) ? events : events.filter(isTaken).map(unwrapped)
}
