/** What a reader makes of a timeline's bytes, whatever the order in which its entries came. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { groupBytesOf, HEADER_BYTES, readPage, writeEntry } from '../../../../src/ports/views/redis/layout.ts'

const ENTRY_BYTES = 12
const LANES = 2
const CAPACITY = 60

interface Came {
  readonly id: number
  readonly ref: number
}

function timelineOf(came: readonly Came[]): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + ENTRY_BYTES * came.length)
  came.forEach(({ id, ref }, i) => writeEntry(bytes, HEADER_BYTES + ENTRY_BYTES * i, id, ref, 5))
  return bytes
}

function pageOf(came: readonly Came[]) {
  const options = { capacity: CAPACITY, lanes: LANES, below: Infinity, limit: CAPACITY }
  return readPage(Buffer.alloc(groupBytesOf(LANES)), timelineOf(came), options)
}

/** Each id with the ref of its last occurrence, newest first. */
function expected(came: readonly Came[]): Came[] {
  const last = new Map(came.map(({ id, ref }) => [id, ref]))
  const all = Array.from(last, ([id, ref]) => ({ id, ref }))
  return all.toSorted((a, b) => b.id - a.id).slice(0, CAPACITY)
}

/** Ids in order, except that each may come up to `late` places too late; some come twice. */
const cameInOrder = (late: number) =>
  fc
    .array(fc.record({ gap: fc.integer({ min: 0, max: 3 }), delay: fc.nat(late) }), { maxLength: 100 })
    .map((entries) => {
      let id = 2 ** 40
      const all = entries.map(({ gap, delay }, i) => ({ id: (id += gap), ref: i, at: i + delay }))
      return all.toSorted((a, b) => a.at - b.at).map(({ id, ref }) => ({ id, ref }))
    })

it.each([0, 3, 12, 100])('entries up to %i places late are shown newest first, each once', (late) => {
  fc.assert(
    fc.property(cameInOrder(late), (came) => {
      const { ids, refs, length } = pageOf(came)!.entries
      const shown = Array.from({ length }, (_, i) => ({ id: ids[i], ref: refs[i] }))
      expect(shown).toEqual(expected(came))
    }),
  )
})

it('a timeline to which somebody else has appended is lost, not read askew', () => {
  const whole = timelineOf([{ id: 2 ** 40, ref: 1 }])
  const read = (bytes: Buffer) =>
    readPage(Buffer.alloc(groupBytesOf(LANES)), bytes, {
      capacity: CAPACITY,
      lanes: LANES,
      below: Infinity,
      limit: 1,
    })
  expect(read(whole)?.entries.length).toBe(1)
  for (let more = 1; more < ENTRY_BYTES; more++)
    expect(read(Buffer.concat([whole, Buffer.alloc(more)]))).toBeUndefined()
})
