/** What a reader makes of a timeline's bytes, whatever the order in which its entries came. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  compact,
  groupBytesOf,
  HEADER_BYTES,
  readPage,
  writeEntry,
} from '../../../../src/ports/views/redis/layout.ts'
import type { Entries, Keep } from '../../../../src/ports/views/views.ts'

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

function pageOf(timeline: Buffer, keep: Keep, limit = CAPACITY) {
  const options = { keep, capacity: CAPACITY, lanes: LANES, below: Infinity, limit }
  return readPage(Buffer.alloc(groupBytesOf(LANES)), timeline, options)
}

const shown = ({ ids, refs, length }: Entries): Came[] =>
  Array.from({ length }, (_, i) => ({ id: ids[i], ref: refs[i] }))

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
      expect(shown(pageOf(timelineOf(came), 'all')!.entries)).toEqual(expected(came))
    }),
  )
})

/** Of each ref its largest id, newest first. */
function expectedLatest(came: readonly Came[]): Came[] {
  const latest = new Map<number, number>()
  for (const { id, ref } of came) latest.set(ref, Math.max(id, latest.get(ref) ?? 0))
  return Array.from(latest, ([ref, id]) => ({ id, ref })).toSorted((a, b) => b.id - a.id)
}

/** Ids in any order, some of them twice; an id always has the same ref. */
const cameOfRefs = fc
  .record({ refs: fc.constantFrom(1, 9, 80, 200), numbers: fc.array(fc.nat(250), { maxLength: 300 }) })
  .map(({ refs, numbers }) => numbers.map((n): Came => ({ id: 2 ** 40 + n * 2 ** 31, ref: (n * 31) % refs })))

it('of the latest entries a reader shows one for each ref, before and after a trim', () => {
  const head = Buffer.alloc(16)
  fc.assert(
    fc.property(cameOfRefs, fc.nat(300), (came, at) => {
      const expected = expectedLatest(came)
      const cut = expected[CAPACITY]?.id ?? 0
      const trimmed = compact(timelineOf(came.slice(0, at)), 'latest', CAPACITY + 5)
      const whole = Buffer.concat([head, trimmed, timelineOf(came.slice(at)).subarray(HEADER_BYTES)])
      for (const timeline of [timelineOf(came), whole]) {
        const { header, entries } = pageOf(timeline, 'latest')!
        expect(shown(entries)).toEqual(expected.slice(0, CAPACITY))
        expect(header.floor).toBe(cut)
      }
      expect(trimmed.length).toBeLessThanOrEqual(8 + ENTRY_BYTES * Math.min(CAPACITY + 5, expected.length))
    }),
    { numRuns: 500 },
  )
})

it('a string that nobody has shortened for long is read as well, the latest of many refs', () => {
  const came = Array.from({ length: 20_000 }, (_, n): Came => ({ id: n + 1, ref: (n * 7) % 9_000 }))
  const { header, entries } = pageOf(timelineOf(came), 'latest')!
  expect(shown(entries)).toEqual(came.slice(-CAPACITY).toReversed())
  expect(header.floor).toBe(20_000 - CAPACITY)
})

it('a timeline to which somebody else has appended is lost, not read askew', () => {
  const whole = timelineOf([{ id: 2 ** 40, ref: 1 }])
  expect(pageOf(whole, 'all', 1)?.entries.length).toBe(1)
  for (let more = 1; more < ENTRY_BYTES; more++)
    expect(pageOf(Buffer.concat([whole, Buffer.alloc(more)]), 'all', 1)).toBeUndefined()
})
