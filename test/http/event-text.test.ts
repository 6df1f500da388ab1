/** Events as text, read again as the specification says. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { eventText, type ServerSentEvent } from '../../src/http/event-text.ts'

interface Dispatched {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

/** The steps of "Interpreting an event stream" in the HTML standard. */
function interpret(text: string): { events: Dispatched[]; retryMs: number | undefined; id: string } {
  const events: Dispatched[] = []
  let [data, type, id] = ['', '', '']
  let retryMs: number | undefined
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data !== '') events.push({ type: type || 'message', data: data.slice(0, -1), lastEventId: id })
      ;[data, type] = ['', '']
      continue
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data += `${value}\n`
    else if (field === 'event') type = value
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^\d+$/.test(value)) retryMs = Number(value)
  }
  return { events, retryMs, id }
}

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', ' ', ':', '\n', '\r', 'data', 'id: 1', '🦊', '\0', '\u2028') }),
  fc.string({ unit: 'binary' }),
)
const line = text.filter((value) => !/[\r\n\0]/.test(value))

it('say the same when a client reads them', () => {
  const event = fc.record(
    { event: line, id: line, data: text, retryMs: fc.nat() },
    { requiredKeys: [] },
  ) as fc.Arbitrary<ServerSentEvent>
  fc.assert(
    fc.property(event, event, (first, second) => {
      const read = interpret(eventText(first) + eventText(second))
      const given = [first, second].flatMap(({ event: type, data, id }, n) =>
        data === undefined
          ? []
          : [
              {
                type: type || 'message',
                data: data.replace(/\r\n|\r/g, '\n'),
                lastEventId: (n === 0 ? id : (id ?? first.id)) ?? '',
              },
            ],
      )
      expect(read).toEqual({
        events: given,
        retryMs: second.retryMs ?? first.retryMs,
        id: second.id ?? first.id ?? '',
      })
    }),
    { numRuns: 500 },
  )
})

it('with empty data are events, and without data none', () => {
  expect(interpret(eventText({ data: '' })).events).toHaveLength(1)
  expect(interpret(eventText({ id: '7', retryMs: 5 }))).toEqual({ events: [], retryMs: 5, id: '7' })
})
