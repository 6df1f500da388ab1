/** One server-sent event as text (WHATWG HTML, "Server-sent events"). */

import { assert } from '../core/errors.ts'

export interface ServerSentEvent {
  /** The event's type; without it, clients get a `message`. */
  readonly event?: string
  /** What a client sends as `Last-Event-ID` when it connects again after this event. */
  readonly id?: string
  /** Without data, clients take over `id` and `retryMs` and report no event. */
  readonly data?: string
  /** How long a client waits before it connects again. */
  readonly retryMs?: number
}

/** A comment, which clients ignore. */
export const HEARTBEAT = ':\n\n'

const LINE_END = /\r\n|\r|\n/

/** Throws `internal` for an event whose id, type or retry would be read as another field, or not at all. */
export function eventText({ event, id, data, retryMs }: ServerSentEvent): string {
  let text = ''
  if (event !== undefined) text += `event: ${oneLine(event)}\n`
  if (id !== undefined) {
    assert(!id.includes('\0'), 'clients ignore an id with a NUL')
    text += `id: ${oneLine(id)}\n`
  }
  if (retryMs !== undefined) {
    assert(Number.isSafeInteger(retryMs) && retryMs >= 0, 'a retry is a whole number of milliseconds')
    text += `retry: ${retryMs}\n`
  }
  if (data !== undefined) text += dataText(data)
  return `${text}\n`
}

/** A line of its own for each line of the data; the client joins them with line feeds. */
function dataText(data: string): string {
  if (!LINE_END.test(data)) return `data: ${data}\n`
  return data
    .split(LINE_END)
    .map((line) => `data: ${line}\n`)
    .join('')
}

function oneLine(value: string): string {
  assert(!LINE_END.test(value), 'the type and the id of an event have one line')
  return value
}
