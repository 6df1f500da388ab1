/** Measures what reactors cost that have nothing to do: events per second through one of them, and through five. */

import { struct, u32, u53 } from '../src/core/codec.ts'
import { idKey } from '../src/core/keys.ts'
import type { DomainSpec, Reactor } from '../src/engine/domain.ts'
import { defineEvent } from '../src/engine/events.ts'
import { projection } from '../src/engine/rows/projection.ts'
import { defineTable } from '../src/engine/rows/tables.ts'
import { inParallel, openBareEngine } from './bare-engine.ts'
import {
  formatSample,
  interleave,
  RUNS,
  seconds,
  type Bench,
  type BenchContext,
  type BenchResult,
} from './harness.ts'

const counted = defineEvent(200, 'counted', struct({ key: u53, n: u32 }))
const counts = defineTable({
  name: 'counts',
  partition: (key: number) => idKey(key),
  value: struct({ n: u32 }),
})
const view = { name: 'counts', capacity: 100, keep: 'all' } as const

const idle = (i: number): Reactor => ({
  name: `idle-${i}`,
  takes: [counted],
  holds: i % 2 === 0 ? [view.name] : 'log',
  react: () => Promise.resolve(),
})

const domainOf = (reactors: number): DomainSpec<undefined> => ({
  name: 'reactors',
  tags: [200, 200],
  events: [counted],
  tables: [counts],
  views: [view],
  create: () => ({
    api: undefined,
    projections: [
      projection({
        on: counted,
        apply: ({ body, version }, rows) =>
          void rows.put(counts, counts.key(body.key), version, { n: body.n }),
      }),
    ],
    reactors: Array.from({ length: reactors }, (_, i) => idle(i)),
  }),
})

export const reactors: Bench = {
  name: 'reactors',
  describe: 'events per second through five idle reactors, against one (goal: no slower than 0.9 ×)',
  run,
}

const WIDTH = 256

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const events = quick ? 20_000 : 100_000
  const contender = (count: number) => async () => {
    const { engine, close } = await openBareEngine(domainOf(count))
    const beganMs = performance.now()
    await inParallel(events, WIDTH, (n) => engine.produce(counted, n % 1_000, { key: n % 1_000, n }))
    await engine.settle()
    const perS = events / seconds(beganMs)
    await close()
    return perS
  }
  const result = await interleave({ one: contender(1), five: contender(5) }, quick ? 3 : RUNS, report)
  report.table([
    ['reactors', 'events/s'],
    ['1', formatSample(result.one)],
    ['5', formatSample(result.five)],
  ])
  const ratio = result.five.median / result.one.median
  return { ours: result.five.median, reference: result.one.median, ratio, unit: 'events/s', runs: RUNS }
}
