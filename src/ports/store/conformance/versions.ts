/** Of several writes to a row, the one with the highest version stands. */

import { describe, expect, test } from 'vitest'
import { plain } from './model.ts'
import { row, text, type Subject } from './subject.ts'

export function versions(subject: Subject): void {
  describe('versions', () => {
    test('the newest version wins in any order of arrival', async () => {
      const orders = [
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
      ]
      for (const [index, order] of orders.entries()) {
        const [apart, together, atOnce] = ['apart', 'together', 'at-once'].map((each) => each + index)
        for (const version of order) await subject.store.write([row(apart, version)])
        await subject.store.write(order.map((version) => row(together, version)))
        await Promise.all(order.map((version) => subject.store.write([row(atOnce, version)])))
        for (const sort of [apart, together, atOnce]) {
          expect(text(await subject.get(sort)), `${sort}: ${order}`).toBe(`${sort}@3`)
          expect((await subject.get(sort))?.version).toBe(3)
        }
      }
    })

    test('an older write after a newer one in another row is still written', async () => {
      await subject.store.write([row('newer', 2 ** 52)])
      await subject.store.write([row('older', 5), row('newer', 7)])
      expect(text(await subject.get('older'))).toBe('older@5')
      expect(text(await subject.get('newer'))).toBe(`newer@${2 ** 52}`)
      await subject.reopen()
      await subject.store.write([row('older', 4), row('newer', 2 ** 52 - 1)])
      expect(text(await subject.get('older'))).toBe('older@5')
      expect((await subject.get('newer'))?.version).toBe(2 ** 52)
    })

    test('a tie changes nothing', async () => {
      await subject.store.write([row('a', 4)])
      await subject.store.write([row('a', 4), row('a', 4)])
      expect(plain((await subject.get('a'))!)).toEqual(row('a', 4))
    })

    test('versions go from 0 to 2^53 - 1', async () => {
      const versions = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 44 + 3, Number.MAX_SAFE_INTEGER]
      await subject.store.write(versions.map((version) => row(`v${version}`, version)))
      for (const version of versions) expect((await subject.get(`v${version}`))?.version).toBe(version)
    })
  })
}
