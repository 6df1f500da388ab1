/** Rows of tables of kind `once`: one insert wins. */

import { describe, expect, test } from 'vitest'
import { ONCE } from './model.ts'
import { bytes, text, type Subject } from './subject.ts'

export function insertIfAbsent(subject: Subject): void {
  describe('insertIfAbsent', () => {
    const once = (partition: string, value: string) => ({
      table: ONCE,
      partition,
      sort: 's',
      value: bytes(value),
    })

    test('the first value stands and is returned to all', async () => {
      const [first] = await subject.store.insertIfAbsent([once('a', 'one')])
      expect([first.inserted, text(first)]).toEqual([true, 'one'])
      const answers = await subject.store.insertIfAbsent([
        once('b', 'two'),
        once('a', 'two'),
        once('b', 'three'),
      ])
      expect(answers.map((each) => [each.inserted, text(each)])).toEqual([
        [true, 'two'],
        [false, 'one'],
        [false, 'two'],
      ])
      const stored = await subject.store.get([once('a', ''), once('b', '')])
      expect(stored.map(text)).toEqual(['one', 'two'])
      expect(stored.map((each) => each?.version)).toEqual([0, 0])
    })

    test('of many at once, one wins', async () => {
      for (let round = 0; round < 10; round++) {
        const tries = Array.from({ length: 20 }, (_, index) =>
          subject.store.insertIfAbsent([
            once(`contested-${round}`, `value-${index}`),
            once(`own-${round}-${index}`, 'own'),
          ]),
        )
        const answers = await Promise.all(tries)
        const winners = answers.filter(([contested]) => contested.inserted)
        expect(winners.length).toBe(1)
        expect(new Set(answers.map(([contested]) => text(contested))).size).toBe(1)
        expect(answers.every(([, own]) => own.inserted)).toBe(true)
      }
    })

    test('survives a reopening', async () => {
      await subject.store.insertIfAbsent([once('a', 'one')])
      await subject.reopen()
      const [again] = await subject.store.insertIfAbsent([once('a', 'two')])
      expect([again.inserted, text(again)]).toEqual([false, 'one'])
    })
  })
}
