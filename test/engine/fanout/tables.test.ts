/** Rows of fan-out are a format on disk. */

import { expect, test } from 'vitest'
import { encode } from '../../../src/core/codec.ts'
import { defineFanoutTables, NOTHING, NUMBER_KEYS } from '../../../src/engine/fanout/tables.ts'
import { openPlansTable, plansTable, receiptsTable } from '../../../src/feed/index.ts'
import { graphEvents, marksTable, tiersTable } from '../../../src/graph/index.ts'
import type { RowWrite } from '../../../src/ports/store/store.ts'

const ID = 7_000_000_000_001

const stored = ({ table, partition, sort, value }: RowWrite): string =>
  [table.name, partition, sort, Buffer.from(value!).toString('hex')].join(' ')

test('rows of the home feed are those of version 0.1.0', () => {
  const receipt = {
    id: ID,
    key: 9,
    tier: 0,
    share: 3,
    planned: 12,
    done: 11,
    skipped: 1,
    lanes: [2, 4, 5],
    doneAtMs: 1_800_000_000_000,
    doneChunks: [5, 1],
    fingerprint: 77,
  }
  const plan = {
    id: ID,
    key: 9,
    kind: 6,
    share: 8,
    chunks: [{ bucket: 1, from: 2, to: 2 ** 32 }],
    version: 99,
    frozen: { activeFromMinute: 30, inactiveBeforeMinute: 20 },
  }
  const marks = Float64Array.of(0, 0, 0, 12, 0, 0, 0, 0)
  expect([
    stored(receiptsTable.row(receiptsTable.key(ID), 5, receipt)),
    stored(plansTable.row(plansTable.key(ID), 5, plan)),
    stored(openPlansTable.row(openPlansTable.key(ID), 5, { id: ID, open: true })),
    stored(tiersTable.row(tiersTable.key(9), 5, { number: 9, override: 2, share: 4 })),
    stored(marksTable.row(marksTable.key(9), 5, { number: 9, marks })),
  ]).toEqual([
    'receipts 002hbr79jwh  0004c00d427799420900000000030c0000000b0000000100000003000000020000000400000005000000000000c585317a420200000005000000010000004d000000',
    'plans 002hbr79jwh  0004c00d42779942090000000600000008010000000100000002000000000000000000f0410000000000c058401e00000014000000',
    'open_plans open 002hbr79jwh 0004c00d4277994201',
    'tiers 0000009  090000000204',
    'marks 0000009  090000000800000000000000000000000000000000000000000000000000000000000000000028400000000000000000000000000000000000000000000000000000000000000000',
  ])
  const told = { raises: [{ key: 9, share: 3, id: ID }] }
  expect(encode(graphEvents.marksRaised.body, told).toString('hex')).toBe(
    '0100000009000000030004c00d42779942',
  )
})

test('a fan-out with a name has tables of its own', () => {
  const tables = defineFanoutTables('lists', NUMBER_KEYS, NOTHING)
  expect(Object.values(tables).map(({ name }) => name)).toEqual([
    'lists_receipts',
    'lists_plans',
    'lists_open_plans',
  ])
  const { plans } = tables
  const plan = { id: 1, key: 2, kind: 3, share: 8, chunks: [], version: 4, frozen: undefined }
  const row = plans.row(plans.key(1), 4, plan)
  expect(plans.decode({ ...row, value: Buffer.from(row.value) })).toEqual(plan)
})
