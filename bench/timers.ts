/** Measures timers: arming very many that are due much later, and firing many that are due at one moment. */

import { struct, text, u32, u53 } from '../src/core/codec.ts'
import type { Histogram } from '../src/core/histogram.ts'
import { idKey } from '../src/core/keys.ts'
import type { DomainSpec } from '../src/engine/domain.ts'
import { defineEvent } from '../src/engine/events.ts'
import { projection } from '../src/engine/rows/projection.ts'
import { defineTable } from '../src/engine/rows/tables.ts'
import { inParallel, openBareEngine } from './bare-engine.ts'
import {
  collectGarbage,
  format,
  seconds,
  type Bench,
  type BenchContext,
  type BenchResult,
} from './harness.ts'

const armed = defineEvent(200, 'armed', struct({ key: u53, id: text, dueMs: u53 }))
const rang = defineEvent(201, 'rang', struct({ key: u53, n: u32 }))
const rings = defineTable({
  name: 'rings',
  partition: (key: number) => idKey(key),
  value: struct({ n: u32 }),
})

const domain: DomainSpec<undefined> = {
  name: 'timers',
  tags: [200, 201],
  events: [armed, rang],
  tables: [rings],
  create: () => ({
    api: undefined,
    projections: [
      projection({
        on: armed,
        apply: ({ body: { key, id, dueMs } }, _rows, effects) =>
          effects.schedule(id, dueMs, rang, { key, n: 0 }),
      }),
      projection({
        on: rang,
        apply: ({ body, version }, rows) => void rows.put(rings, rings.key(body.key), version, { n: body.n }),
      }),
    ],
  }),
}

export const timers: Bench = {
  name: 'timers',
  describe:
    'timers armed and fired per second, and memory for those pending (goal: 1 M pending, 5,000/s fired)',
  run,
}

const WIDTH = 512
const KEYS = 10_000
const DAY_MS = 86_400_000

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const [pending, due] = quick ? [100_000, 20_000] : [1_000_000, 50_000]
  const { engine, close } = await openBareEngine(domain)
  const arm = (i: number, dueMs: number) =>
    engine.produce(armed, i % KEYS, { key: i % KEYS, id: `${i}`, dueMs })
  try {
    collectGarbage()
    const restBytes = process.memoryUsage.rss()
    const armingMs = performance.now()
    await inParallel(pending, WIDTH, (i) => arm(i, Date.now() + DAY_MS + (i % DAY_MS)))
    const armedPerS = pending / seconds(armingMs)
    await engine.settle()
    collectGarbage()
    const bytes = process.memoryUsage.rss() - restBytes
    const dueMs = Date.now() + Math.ceil((due / armedPerS) * 1_500) + 1_000
    await inParallel(due, WIDTH, (i) => arm(pending + i, dueMs))
    report.progress(`  armed; due in ${dueMs - Date.now()} ms`)
    while (engine.timers.fired < due) await new Promise((resolve) => setTimeout(resolve, 5))
    const firedPerS = (due * 1_000) / (Date.now() - dueMs)
    await engine.settle()
    const { late } = engine.timers
    report.table([
      ['pending', 'armed/s', 'resident bytes each', 'due at once', 'fired/s', 'late p50', 'late p99'],
      [
        format(pending),
        format(armedPerS),
        (bytes / pending).toFixed(0),
        format(due),
        format(firedPerS),
        quantile(late, 0.5),
        quantile(late, 0.99),
      ],
    ])
    return { ours: firedPerS, reference: null, ratio: null, unit: 'timers/s', runs: 1 }
  } finally {
    await close()
  }
}

/** The bucket that holds the quantile. */
function quantile({ bounds, counts, count }: Histogram, share: number): string {
  let seen = 0
  for (const [i, bound] of bounds.entries()) {
    seen += counts[i]
    if (seen >= share * count) return `≤ ${bound} ms`
  }
  return `> ${bounds[bounds.length - 1]} ms`
}
