/** Checkpoints and the watermark. */

import { describe, expect, test } from 'vitest'
import { row, type Subject } from './subject.ts'

export function checkpoints(subject: Subject): void {
  describe('checkpoints', () => {
    test('a new store has no watermark', async () => {
      expect(await subject.store.watermark()).toEqual([])
    })

    test('the last one counts, also after reopening, and nothing is lost', async () => {
      await subject.store.write([row('a')])
      await subject.store.checkpoint([3, 2 ** 44 + 1])
      await subject.store.write([row('b')])
      await subject.store.checkpoint([7, 2 ** 52])
      expect(await subject.store.watermark()).toEqual([7, 2 ** 52])
      await subject.store.write([row('c')])
      await subject.reopen()
      expect(await subject.store.watermark()).toEqual([7, 2 ** 52])
      expect(await subject.range('')).toEqual(['a', 'b', 'c'])
    })

    test('each position of the watermark only rises', async () => {
      await subject.store.checkpoint([7, 5])
      await subject.store.checkpoint([0, 9])
      expect(await subject.store.watermark()).toEqual([7, 9])
    })

    test('writes go on during a checkpoint', async () => {
      for (let version = 1; version <= 10; version++) {
        await Promise.all([
          subject.store.write([row('a', version)]),
          subject.store.checkpoint([version]),
          subject.store.write([row('b', version)]),
        ])
      }
      expect(await subject.store.watermark()).toEqual([10])
      expect((await subject.get('b'))?.version).toBe(10)
    })
  })
}
