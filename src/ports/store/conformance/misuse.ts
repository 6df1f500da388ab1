/** Calls outside the contract are refused, and so are calls after `close`. */

import { describe, expect, test } from 'vitest'
import { ONCE, VERSIONED } from './model.ts'
import { expectCode, row, type Subject } from './subject.ts'
import type { RowWrite, Table } from '../store.ts'

export function misuse(subject: Subject): void {
  describe('misuse', () => {
    test('a table is written or inserted into, never both', async () => {
      await expectCode(subject.store.write([row('a', 1, { table: ONCE })]), 'internal')
      await expectCode(subject.store.insertIfAbsent([row('a')]), 'internal')
      await subject.store.write([row('a')])
      const impostor: Table = { name: VERSIONED.name, kind: 'once' }
      await expectCode(subject.store.insertIfAbsent([{ ...row('b'), table: impostor }]), 'internal')
      await expectCode(subject.store.get([{ table: impostor, partition: 'p', sort: 'a' }]), 'internal')
    })

    test('a refused write leaves nothing behind', async () => {
      await expectCode(subject.store.write([row('a'), row('b', 1, { table: ONCE })]), 'internal')
      await expectCode(subject.store.write([row('a'), row('\0')]), 'internal')
      await subject.store.write([row('c')])
      expect(await subject.range('')).toEqual(['c'])
    })

    test('limits lie between 1 and 10,000', async () => {
      for (const limit of [0, -1, 1.5, 10_001, Number.NaN]) {
        await expectCode(subject.store.scan(VERSIONED, undefined, limit), 'internal')
        await expectCode(
          subject.store.range([{ table: VERSIONED, partition: 'p', from: '', limit }]),
          'internal',
        )
      }
      await subject.store.scan(VERSIONED, undefined, 10_000)
    })

    test('keys and versions outside the contract are refused', async () => {
      const bad: Partial<RowWrite>[] = [
        { partition: 'a\0b' },
        { partition: 'ü'.repeat(257) },
        { partition: '\ud800' },
        { sort: 'ü' },
        { sort: 'a\0' },
        { sort: 's'.repeat(65) },
        { version: -1 },
        { version: 1.5 },
        { version: 2 ** 53 },
        { value: 'text' as unknown as Uint8Array },
      ]
      for (const each of bad) await expectCode(subject.store.write([row('a', 1, each)]), 'internal')
      await subject.store.write([row('s'.repeat(64))])
    })
  })
}

export function closing(subject: Subject): void {
  describe('closing', () => {
    test('a closed store says so', async () => {
      await subject.store.close()
      await expectCode(subject.store.get([row('a')]), 'shutting_down')
      await expectCode(subject.store.write([row('a')]), 'shutting_down')
      await subject.store.close()
    })

    test('a close waits for what is under way', async () => {
      const writes = Array.from({ length: 20 }, (_, index) => subject.store.write([row(`s${index}`, index)]))
      await subject.store.close()
      await Promise.all(writes)
      await subject.open()
      expect((await subject.range('')).length).toBe(20)
    })
  })
}
