/**
 * What every adapter of the store port must do, as a vitest suite. An adapter's test calls it with a way
 * to open a store:
 *
 *   storeConformance({ name: 'memory', open: async ({ place, env }) => … })
 */

import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ErrorCode, isRivuletError } from '../../core/errors.ts'
import type { Env } from '../env/env.ts'
import { createRealEnv } from '../env/real.ts'
import {
  createModel,
  HOUR_MS,
  inOrder,
  LOG_PARTITIONS,
  ONCE,
  OTHER,
  plain,
  START_MS,
  type Step,
  steps,
  VERSIONED,
} from './conformance-model.ts'
import type { Row, RowKey, RowWrite, Store, Table } from './store.ts'

export interface StoreHarness {
  readonly name: string
  /** A place is a name for data that outlives the store; a place never opened before is empty. */
  open(options: { readonly place: string; readonly env: Env }): Promise<Store>
  /** How many random histories to try. */
  readonly modelRuns?: number
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (row: { value: Uint8Array } | undefined): string | undefined =>
  row && new TextDecoder().decode(row.value)

function row(sort: string, version = 1, more: Partial<RowWrite> = {}): RowWrite {
  const value = bytes(`${sort}@${version}`)
  return { table: VERSIONED, partition: 'p', sort, version, value, ...more }
}

export async function expectCode(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(isRivuletError(error, code), `expected ${code}, got ${String(error)}`).toBe(true)
}

/** The machine's own environment, but its wall clock stands where a test puts it. */
function createTestEnv() {
  const clock = { wallMs: START_MS }
  const env: Env = { ...createRealEnv(), wallMs: () => clock.wallMs }
  return { env, clock }
}

export async function scanAll(store: Store, table: Table, limit: number): Promise<Row[]> {
  const rows: Row[] = []
  let after: RowKey | undefined
  for (;;) {
    const page = await store.scan(table, after, limit)
    expect(page.length).toBeLessThanOrEqual(limit)
    rows.push(...page)
    after = page.at(-1)
    if (after === undefined) return rows
  }
}

/** Histories end here, while no remains of an ended row are due: the model keeps their versions for ever. */
const LAST_MS = START_MS + 2 * HOUR_MS - 1

let places = 0

export function storeConformance({ name, open, modelRuns = 60 }: StoreHarness): void {
  describe(`store conformance: ${name}`, () => {
    let place: string
    let store: Store
    let { env, clock } = createTestEnv()

    beforeEach(async () => {
      ;({ env, clock } = createTestEnv())
      place = `place-${places++}`
      store = await open({ place, env })
    })
    afterEach(() => store.close())

    const reopen = async () => {
      await store.close()
      store = await open({ place, env })
    }
    const get = async (sort: string, more: Partial<RowKey> = {}) =>
      (await store.get([{ table: VERSIONED, partition: 'p', sort, ...more }]))[0]
    const range = async (from: string, to?: string, limit = 100, partition = 'p') => {
      const bounds = to === undefined ? { from } : { from, to }
      const [rows] = await store.range([{ table: VERSIONED, partition, limit, ...bounds }])
      return rows.map((each) => each.sort)
    }

    describe('reads', () => {
      test('get answers in the order of the keys, with nothing for what is missing', async () => {
        await store.write([row('b'), row('a')])
        const keys = ['a', 'x', 'b', 'a'].map((sort) => ({ table: VERSIONED, partition: 'p', sort }))
        const rows = await store.get(keys)
        expect(rows.map((each) => each && plain(each))).toEqual([row('a'), undefined, row('b'), row('a')])
        expect(await store.get([])).toEqual([])
      })

      test('a range has the sort order of ASCII, from inclusive, to exclusive', async () => {
        const sorts = ['', ' ', '0', '00', '1', 'A', 'Z', '_', 'a', 'aa', 'z', '~', '\x7f']
        await store.write(sorts.toReversed().map((sort) => row(sort)))
        expect(await range('')).toEqual(sorts)
        expect(await range('0', 'Z')).toEqual(['0', '00', '1', 'A'])
        expect(await range('0', '00')).toEqual(['0'])
        expect(await range('B', 'Y')).toEqual([])
        expect(await range('z', 'a')).toEqual([])
        expect(await range('a', 'a')).toEqual([])
        expect(await range('0', undefined, 3)).toEqual(['0', '00', '1'])
      })

      test('a range stays inside its partition and its table', async () => {
        const partitions = ['', 'p', 'p\x01', 'p0', 'pp', 'o', 'q', 'p\u00e9']
        const tables = [VERSIONED, OTHER]
        await store.write(
          tables.flatMap((table) =>
            partitions.map((partition) =>
              row('s', 1, { table, partition, value: bytes(table.name + partition) }),
            ),
          ),
        )
        for (const table of tables) {
          const answers = await store.range(
            partitions.map((partition) => ({ table, partition, from: '', limit: 10 })),
          )
          expect(answers.map((rows) => rows.map(text))).toEqual(partitions.map((each) => [table.name + each]))
        }
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
        await store.write(partitions.map((partition) => row('s', 1, { partition, value: bytes(partition) })))
        const rows = await store.get(
          partitions.map((partition) => ({ table: VERSIONED, partition, sort: 's' })),
        )
        expect(rows.map(text)).toEqual(partitions)
        expect(rows.map((each) => each?.partition)).toEqual(partitions)
        const scanned = await scanAll(store, VERSIONED, 4)
        expect(scanned.map((each) => each.partition).sort()).toEqual(partitions.toSorted())
      })

      test('many ranges in one call answer in their order', async () => {
        const partitions = Array.from({ length: 50 }, (_, index) => `part-${index}`)
        await store.write(partitions.map((partition, index) => row('s', index, { partition })))
        const answers = await store.range(
          partitions.toReversed().map((partition) => ({ table: VERSIONED, partition, from: '', limit: 1 })),
        )
        expect(answers.map(([each]) => each.partition)).toEqual(partitions.toReversed())
        expect(await store.range([])).toEqual([])
      })

      test('a scan pages through the whole table, whatever the page size', async () => {
        const rows = Array.from({ length: 57 }, (_, index) =>
          row(`s${index % 7}`, 1, { partition: `p${index % 11}` }),
        )
        const keys = new Set(rows.map((each) => `${each.partition}/${each.sort}`))
        await store.write([...rows, row('s', 1, { table: OTHER })])
        for (const limit of [1, 7, 57, 10_000]) {
          const seen = (await scanAll(store, VERSIONED, limit)).map(
            (each) => `${each.partition}/${each.sort}`,
          )
          expect(seen.length).toBe(keys.size)
          expect(new Set(seen)).toEqual(keys)
        }
      })

      test('long ranges are whole', async () => {
        const sorts = Array.from({ length: 5_000 }, (_, index) => String(index).padStart(6, '0'))
        await store.write(sorts.map((sort) => row(sort)))
        expect(await range('', undefined, 10_000)).toEqual(sorts)
        expect(await range('001000', '004000', 2_500)).toEqual(sorts.slice(1_000, 3_500))
      })

      test('a value may be empty or large, and the buffer it came in may be used again', async () => {
        const value = new Uint8Array(300_000).fill(7)
        await store.write([row('large', 1, { value }), row('empty', 1, { value: new Uint8Array() })])
        value.fill(9)
        expect((await get('empty'))?.value.length).toBe(0)
        const large = (await get('large'))?.value ?? new Uint8Array()
        expect(Buffer.compare(large, new Uint8Array(300_000).fill(7))).toBe(0)
      })
    })

    describe('writes', () => {
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
          for (const version of order) await store.write([row(apart, version)])
          await store.write(order.map((version) => row(together, version)))
          await Promise.all(order.map((version) => store.write([row(atOnce, version)])))
          for (const sort of [apart, together, atOnce]) {
            expect(text(await get(sort)), `${sort}: ${order}`).toBe(`${sort}@3`)
            expect((await get(sort))?.version).toBe(3)
          }
        }
      })

      test('an older write after a newer one in another row is still written', async () => {
        await store.write([row('newer', 2 ** 52)])
        await store.write([row('older', 5), row('newer', 7)])
        expect(text(await get('older'))).toBe('older@5')
        expect(text(await get('newer'))).toBe(`newer@${2 ** 52}`)
        await reopen()
        await store.write([row('older', 4), row('newer', 2 ** 52 - 1)])
        expect(text(await get('older'))).toBe('older@5')
        expect((await get('newer'))?.version).toBe(2 ** 52)
      })

      test('a tie changes nothing', async () => {
        await store.write([row('a', 4)])
        await store.write([row('a', 4), row('a', 4)])
        expect(plain((await get('a'))!)).toEqual(row('a', 4))
      })

      test('versions go from 0 to 2^53 - 1', async () => {
        const versions = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 44 + 3, Number.MAX_SAFE_INTEGER]
        await store.write(versions.map((version) => row(`v${version}`, version)))
        for (const version of versions) expect((await get(`v${version}`))?.version).toBe(version)
      })

      test('a read sees what was acknowledged before it', async () => {
        for (let version = 1; version <= 50; version++) {
          await store.write([row('a', version)])
          expect((await get('a'))?.version).toBe(version)
        }
      })

      test('no reader of a partition sees half a write', async () => {
        const sorts = Array.from({ length: 40 }, (_, index) => `s${String(index).padStart(2, '0')}`)
        let isWriting = true
        const write = async () => {
          for (let version = 1; version <= 60; version++) {
            await store.write(sorts.map((sort) => row(sort, version)))
          }
          isWriting = false
        }
        const read = async () => {
          while (isWriting) {
            const [rows] = await store.range([{ table: VERSIONED, partition: 'p', from: '', limit: 100 }])
            expect([0, sorts.length]).toContain(rows.length)
            expect(new Set(rows.map((each) => each.version)).size).toBeLessThanOrEqual(1)
            await env.yield()
          }
        }
        await Promise.all([write(), read(), read()])
      })

      test('many writers at once lose nothing', async () => {
        const writers = Array.from({ length: 32 }, async (_, writer) => {
          for (let turn = 0; turn < 20; turn++) await store.write([row(`${writer}-${turn}`, writer + turn)])
        })
        await Promise.all(writers)
        expect((await scanAll(store, VERSIONED, 1_000)).length).toBe(32 * 20)
      })

      test('an empty write is nothing', async () => {
        await store.write([])
        expect(await store.insertIfAbsent([])).toEqual([])
      })
    })

    describe('insertIfAbsent', () => {
      const once = (partition: string, value: string) => ({
        table: ONCE,
        partition,
        sort: 's',
        value: bytes(value),
      })

      test('the first value stands and is returned to all', async () => {
        const [first] = await store.insertIfAbsent([once('a', 'one')])
        expect([first.inserted, text(first)]).toEqual([true, 'one'])
        const answers = await store.insertIfAbsent([once('b', 'two'), once('a', 'two'), once('b', 'three')])
        expect(answers.map((each) => [each.inserted, text(each)])).toEqual([
          [true, 'two'],
          [false, 'one'],
          [false, 'two'],
        ])
        const stored = await store.get([once('a', ''), once('b', '')])
        expect(stored.map(text)).toEqual(['one', 'two'])
        expect(stored.map((each) => each?.version)).toEqual([0, 0])
      })

      test('of many at once, one wins', async () => {
        for (let round = 0; round < 10; round++) {
          const tries = Array.from({ length: 20 }, (_, index) =>
            store.insertIfAbsent([
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
        await store.insertIfAbsent([once('a', 'one')])
        await reopen()
        const [again] = await store.insertIfAbsent([once('a', 'two')])
        expect([again.inserted, text(again)]).toEqual([false, 'one'])
      })
    })

    describe('expiry', () => {
      const ending = (sort: string, version: number, inMs: number) =>
        row(sort, version, { expiresAtMs: START_MS + inMs })

      test('an ended row is in no answer, and others do not miss it', async () => {
        await store.write([
          ending('a', 1, 1_000),
          row('b'),
          ending('c', 1, 1_000),
          row('d'),
          ending('e', 1, 5_000),
        ])
        expect(await range('')).toEqual(['a', 'b', 'c', 'd', 'e'])
        clock.wallMs += 1_000
        expect(await get('a')).toBeUndefined()
        expect(await range('', undefined, 2)).toEqual(['b', 'd'])
        expect((await scanAll(store, VERSIONED, 2)).map((each) => each.sort)).toEqual(['b', 'd', 'e'])
        clock.wallMs += 4_000
        expect(await range('')).toEqual(['b', 'd'])
      })

      test('a scan gives the end of a row, so that it can be written elsewhere', async () => {
        await store.write([ending('a', 1, HOUR_MS), row('b')])
        const page = await store.scan(VERSIONED, undefined, 10)
        expect(page.map(({ sort, expiresAtMs }) => [sort, expiresAtMs])).toEqual([
          ['a', START_MS + HOUR_MS],
          ['b', undefined],
        ])
      })

      test('a page full of ended rows is not the end of a scan or a range', async () => {
        const ended = Array.from({ length: 2_500 }, (_, index) =>
          ending(`a${String(index).padStart(5, '0')}`, 1, 10),
        )
        await store.write([...ended, row('z')])
        clock.wallMs += 10
        expect(await range('', undefined, 1)).toEqual(['z'])
        expect((await store.scan(VERSIONED, undefined, 1)).map((each) => each.sort)).toEqual(['z'])
      })

      test('a newer write revives an ended row, an older one does not', async () => {
        await store.write([ending('a', 5, 1_000), ending('b', 5, 1_000)])
        clock.wallMs += 2_000
        await store.write([row('a', 6), row('b', 4)])
        expect(text(await get('a'))).toBe('a@6')
        expect(await get('b')).toBeUndefined()
      })

      test('a newer write takes an end away', async () => {
        await store.write([ending('a', 1, 1_000)])
        await store.write([row('a', 2)])
        await store.checkpoint([1])
        clock.wallMs += 10 * HOUR_MS
        await store.checkpoint([2])
        expect(text(await get('a'))).toBe('a@2')
      })
    })

    describe('checkpoints', () => {
      test('a new store has no watermark', async () => {
        expect(await store.watermark()).toEqual([])
      })

      test('the last one counts, also after reopening, and nothing is lost', async () => {
        await store.write([row('a')])
        await store.checkpoint([3, 2 ** 44 + 1])
        await store.write([row('b')])
        await store.checkpoint([7, 2 ** 52])
        expect(await store.watermark()).toEqual([7, 2 ** 52])
        await store.write([row('c')])
        await reopen()
        expect(await store.watermark()).toEqual([7, 2 ** 52])
        expect(await range('')).toEqual(['a', 'b', 'c'])
      })

      test('each position of the watermark only rises', async () => {
        await store.checkpoint([7, 5])
        await store.checkpoint([0, 9])
        expect(await store.watermark()).toEqual([7, 9])
      })

      test('writes go on during a checkpoint', async () => {
        for (let version = 1; version <= 10; version++) {
          await Promise.all([
            store.write([row('a', version)]),
            store.checkpoint([version]),
            store.write([row('b', version)]),
          ])
        }
        expect(await store.watermark()).toEqual([10])
        expect((await get('b'))?.version).toBe(10)
      })
    })

    describe('misuse', () => {
      test('a table is written or inserted into, never both', async () => {
        await expectCode(store.write([row('a', 1, { table: ONCE })]), 'internal')
        await expectCode(store.insertIfAbsent([row('a')]), 'internal')
        await store.write([row('a')])
        const impostor: Table = { name: VERSIONED.name, kind: 'once' }
        await expectCode(store.insertIfAbsent([{ ...row('b'), table: impostor }]), 'internal')
        await expectCode(store.get([{ table: impostor, partition: 'p', sort: 'a' }]), 'internal')
      })

      test('a refused write leaves nothing behind', async () => {
        await expectCode(store.write([row('a'), row('b', 1, { table: ONCE })]), 'internal')
        await expectCode(store.write([row('a'), row('\0')]), 'internal')
        await store.write([row('c')])
        expect(await range('')).toEqual(['c'])
      })

      test('limits lie between 1 and 10,000', async () => {
        for (const limit of [0, -1, 1.5, 10_001, Number.NaN]) {
          await expectCode(store.scan(VERSIONED, undefined, limit), 'internal')
          await expectCode(store.range([{ table: VERSIONED, partition: 'p', from: '', limit }]), 'internal')
        }
        await store.scan(VERSIONED, undefined, 10_000)
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
        for (const each of bad) await expectCode(store.write([row('a', 1, each)]), 'internal')
        await store.write([row('s'.repeat(64))])
      })

      test('a closed store says so', async () => {
        await store.close()
        await expectCode(store.get([row('a')]), 'shutting_down')
        await expectCode(store.write([row('a')]), 'shutting_down')
        await store.close()
      })

      test('a close waits for what is under way', async () => {
        const writes = Array.from({ length: 20 }, (_, index) => store.write([row(`s${index}`, index)]))
        await store.close()
        await Promise.all(writes)
        store = await open({ place, env })
        expect((await range('')).length).toBe(20)
      })
    })

    test('any history gives the answers of the model', { timeout: 240_000 }, async () => {
      let positions: readonly number[] = []
      const play = async (history: readonly Step[]) => {
        place = `place-${places++}`
        clock.wallMs = START_MS
        await reopen()
        const model = createModel(() => clock.wallMs)
        positions = Array.from({ length: LOG_PARTITIONS }, () => 0)
        for (const step of history) await playStep(step, model)
        for (const table of [VERSIONED, OTHER, ONCE]) {
          expect(inOrder(await scanAll(store, table, 3))).toEqual(inOrder(model.all(table)))
        }
      }
      const playStep = async (step: Step, model: ReturnType<typeof createModel>) => {
        switch (step.kind) {
          case 'write':
            model.write(step.rows)
            return store.write(step.rows)
          case 'insert': {
            const answers = await store.insertIfAbsent(step.rows)
            const comparable = answers.map(({ inserted, value }) => ({
              inserted,
              value: Uint8Array.from(value),
            }))
            return expect(comparable).toEqual(model.insert(step.rows))
          }
          case 'get':
            return expect((await store.get(step.keys)).map((each) => each && plain(each))).toEqual(
              model.get(step.keys),
            )
          case 'range':
            return expect((await store.range(step.ranges)).map((rows) => rows.map(plain))).toEqual(
              step.ranges.map(model.range),
            )
          case 'scan':
            return expect(inOrder(await scanAll(store, step.table, step.limit))).toEqual(
              inOrder(model.all(step.table)),
            )
          case 'checkpoint':
            positions = positions.map((position, index) => position + step.advance[index])
            await store.checkpoint(positions)
            return expect(await store.watermark()).toEqual(positions)
          case 'wait':
            clock.wallMs = Math.min(clock.wallMs + step.ms, LAST_MS)
            return
          case 'reopen':
            return reopen()
        }
      }
      await fc.assert(fc.asyncProperty(steps, play), { numRuns: modelRuns })
    })
  })
}
