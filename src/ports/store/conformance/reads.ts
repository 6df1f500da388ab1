/** Reads of single rows and of whole tables. */

import { describe, expect, test } from 'vitest'
import { OTHER, plain, VERSIONED } from './model.ts'
import { bytes, row, scanAll, text, type Subject } from './subject.ts'

export function reads(subject: Subject): void {
  describe('reads', () => {
    test('get answers in the order of the keys, with nothing for what is missing', async () => {
      await subject.store.write([row('b'), row('a')])
      const keys = ['a', 'x', 'b', 'a'].map((sort) => ({ table: VERSIONED, partition: 'p', sort }))
      const rows = await subject.store.get(keys)
      expect(rows.map((each) => each && plain(each))).toEqual([row('a'), undefined, row('b'), row('a')])
      expect(await subject.store.get([])).toEqual([])
    })

    test('partitions are any text: accents, other scripts, emoji, 512 bytes', async () => {
      const partitions = [
        'é',
        'e\u0301',
        '日本語',
        'עברית',
        '🦊🦊',
        '\uffff',
        '\u{10ffff}',
        '\x01',
        'ü'.repeat(256),
      ]
      await subject.store.write(
        partitions.map((partition) => row('s', 1, { partition, value: bytes(partition) })),
      )
      const rows = await subject.store.get(
        partitions.map((partition) => ({ table: VERSIONED, partition, sort: 's' })),
      )
      expect(rows.map(text)).toEqual(partitions)
      expect(rows.map((each) => each?.partition)).toEqual(partitions)
      const scanned = await scanAll(subject.store, VERSIONED, 4)
      expect(scanned.map((each) => each.partition).sort()).toEqual(partitions.toSorted())
    })

    test('a scan pages through the whole table, whatever the page size', async () => {
      const rows = Array.from({ length: 57 }, (_, index) =>
        row(`s${index % 7}`, 1, { partition: `p${index % 11}` }),
      )
      const keys = new Set(rows.map((each) => `${each.partition}/${each.sort}`))
      await subject.store.write([...rows, row('s', 1, { table: OTHER })])
      for (const limit of [1, 7, 57, 10_000]) {
        const seen = (await scanAll(subject.store, VERSIONED, limit)).map(
          (each) => `${each.partition}/${each.sort}`,
        )
        expect(seen.length).toBe(keys.size)
        expect(new Set(seen)).toEqual(keys)
      }
    })

    test('a value may be empty or large, and the buffer it came in may be used again', async () => {
      const value = new Uint8Array(300_000).fill(7)
      await subject.store.write([row('large', 1, { value }), row('empty', 1, { value: new Uint8Array() })])
      value.fill(9)
      expect((await subject.get('empty'))?.value.length).toBe(0)
      const large = (await subject.get('large'))?.value ?? new Uint8Array()
      expect(Buffer.compare(large, new Uint8Array(300_000).fill(7))).toBe(0)
    })
  })
}
