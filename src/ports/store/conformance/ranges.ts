/** Reads of ranges: order, bounds, and which rows belong to one. */

import { describe, expect, test } from 'vitest'
import { OTHER, VERSIONED } from './model.ts'
import { bytes, row, text, type Subject } from './subject.ts'

export function ranges(subject: Subject): void {
  describe('ranges', () => {
    test('a range has the sort order of ASCII, from inclusive, to exclusive', async () => {
      const sorts = ['', ' ', '0', '00', '1', 'A', 'Z', '_', 'a', 'aa', 'z', '~', '\x7f']
      await subject.store.write(sorts.toReversed().map((sort) => row(sort)))
      expect(await subject.range('')).toEqual(sorts)
      expect(await subject.range('0', 'Z')).toEqual(['0', '00', '1', 'A'])
      expect(await subject.range('0', '00')).toEqual(['0'])
      expect(await subject.range('B', 'Y')).toEqual([])
      expect(await subject.range('z', 'a')).toEqual([])
      expect(await subject.range('a', 'a')).toEqual([])
      expect(await subject.range('0', undefined, 3)).toEqual(['0', '00', '1'])
    })

    test('a range stays inside its partition and its table', async () => {
      const partitions = ['', 'p', 'p\x01', 'p0', 'pp', 'o', 'q', 'p\u00e9']
      const tables = [VERSIONED, OTHER]
      await subject.store.write(
        tables.flatMap((table) =>
          partitions.map((partition) =>
            row('s', 1, { table, partition, value: bytes(table.name + partition) }),
          ),
        ),
      )
      for (const table of tables) {
        const answers = await subject.store.range(
          partitions.map((partition) => ({ table, partition, from: '', limit: 10 })),
        )
        expect(answers.map((rows) => rows.map(text))).toEqual(partitions.map((each) => [table.name + each]))
      }
    })

    test('many ranges in one call answer in their order', async () => {
      const partitions = Array.from({ length: 50 }, (_, index) => `part-${index}`)
      await subject.store.write(partitions.map((partition, index) => row('s', index, { partition })))
      const answers = await subject.store.range(
        partitions.toReversed().map((partition) => ({ table: VERSIONED, partition, from: '', limit: 1 })),
      )
      expect(answers.map(([each]) => each.partition)).toEqual(partitions.toReversed())
      expect(await subject.store.range([])).toEqual([])
    })

    test('long ranges are whole', async () => {
      const sorts = Array.from({ length: 5_000 }, (_, index) => String(index).padStart(6, '0'))
      await subject.store.write(sorts.map((sort) => row(sort)))
      expect(await subject.range('', undefined, 10_000)).toEqual(sorts)
      expect(await subject.range('001000', '004000', 2_500)).toEqual(sorts.slice(1_000, 3_500))
    })
  })
}
