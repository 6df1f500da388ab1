/** What readers see of writes, and what several writers at once must not lose. */

import { describe, expect, test } from 'vitest'
import { VERSIONED } from './model.ts'
import { row, scanAll, type Subject } from './subject.ts'

export function writes(subject: Subject): void {
  describe('writes', () => {
    test('a read sees what was acknowledged before it', async () => {
      for (let version = 1; version <= 50; version++) {
        await subject.store.write([row('a', version)])
        expect((await subject.get('a'))?.version).toBe(version)
      }
    })

    test('no reader of a partition sees half a write', async () => {
      const sorts = Array.from({ length: 40 }, (_, index) => `s${String(index).padStart(2, '0')}`)
      let isWriting = true
      const write = async () => {
        for (let version = 1; version <= 60; version++) {
          await subject.store.write(sorts.map((sort) => row(sort, version)))
        }
        isWriting = false
      }
      const read = async () => {
        while (isWriting) {
          const [rows] = await subject.store.range([
            { table: VERSIONED, partition: 'p', from: '', limit: 100 },
          ])
          expect([0, sorts.length]).toContain(rows.length)
          expect(new Set(rows.map((each) => each.version)).size).toBeLessThanOrEqual(1)
          await subject.env.yield()
        }
      }
      await Promise.all([write(), read(), read()])
    })

    test('many writers at once lose nothing', async () => {
      const writers = Array.from({ length: 32 }, async (_, writer) => {
        for (let turn = 0; turn < 20; turn++)
          await subject.store.write([row(`${writer}-${turn}`, writer + turn)])
      })
      await Promise.all(writers)
      expect((await scanAll(subject.store, VERSIONED, 1_000)).length).toBe(32 * 20)
    })

    test('an empty write is nothing', async () => {
      await subject.store.write([])
      expect(await subject.store.insertIfAbsent([])).toEqual([])
    })
  })
}
