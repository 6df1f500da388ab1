/** Rows with an end. */

import { describe, expect, test } from 'vitest'
import { HOUR_MS, START_MS, VERSIONED } from './model.ts'
import { row, scanAll, text, type Subject } from './subject.ts'

export function expiry(subject: Subject): void {
  describe('expiry', () => {
    const ending = (sort: string, version: number, inMs: number) =>
      row(sort, version, { expiresAtMs: START_MS + inMs })

    test('an ended row is in no answer, and others do not miss it', async () => {
      await subject.store.write([
        ending('a', 1, 1_000),
        row('b'),
        ending('c', 1, 1_000),
        row('d'),
        ending('e', 1, 5_000),
      ])
      expect(await subject.range('')).toEqual(['a', 'b', 'c', 'd', 'e'])
      subject.clock.wallMs += 1_000
      expect(await subject.get('a')).toBeUndefined()
      expect(await subject.range('', undefined, 2)).toEqual(['b', 'd'])
      expect((await scanAll(subject.store, VERSIONED, 2)).map((each) => each.sort)).toEqual(['b', 'd', 'e'])
      subject.clock.wallMs += 4_000
      expect(await subject.range('')).toEqual(['b', 'd'])
    })

    test('a scan gives the end of a row, so that it can be written elsewhere', async () => {
      await subject.store.write([ending('a', 1, HOUR_MS), row('b')])
      const page = await subject.store.scan(VERSIONED, undefined, 10)
      expect(page.map(({ sort, expiresAtMs }) => [sort, expiresAtMs])).toEqual([
        ['a', START_MS + HOUR_MS],
        ['b', undefined],
      ])
    })

    test('a page full of ended rows is not the end of a scan or a range', async () => {
      const ended = Array.from({ length: 2_500 }, (_, index) =>
        ending(`a${String(index).padStart(5, '0')}`, 1, 10),
      )
      await subject.store.write([...ended, row('z')])
      subject.clock.wallMs += 10
      expect(await subject.range('', undefined, 1)).toEqual(['z'])
      expect((await subject.store.scan(VERSIONED, undefined, 1)).map((each) => each.sort)).toEqual(['z'])
    })

    test('a newer write revives an ended row, an older one does not', async () => {
      await subject.store.write([ending('a', 5, 1_000), ending('b', 5, 1_000)])
      subject.clock.wallMs += 2_000
      await subject.store.write([row('a', 6), row('b', 4)])
      expect(text(await subject.get('a'))).toBe('a@6')
      expect(await subject.get('b')).toBeUndefined()
    })

    test('a newer write takes an end away', async () => {
      await subject.store.write([ending('a', 1, 1_000)])
      await subject.store.write([row('a', 2)])
      await subject.store.checkpoint([1])
      subject.clock.wallMs += 10 * HOUR_MS
      await subject.store.checkpoint([2])
      expect(text(await subject.get('a'))).toBe('a@2')
    })
  })
}
