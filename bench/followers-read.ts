/**
 * Measures reading a million follower numbers of one author, in pieces as a fan-out reads them. The reference has one row
 * per edge.
 */

import { idKey } from '../src/core/keys.ts'
import { defineTable } from '../src/engine/rows/tables.ts'
import { struct, u8 } from '../src/core/codec.ts'
import { rangesOf } from '../src/engine/fanout/audience.ts'
import { rowVersion } from '../src/ports/store/store.ts'
import { numberOf, openEngineWorld, type EngineWorld } from './engine-world.ts'
import type { Graph } from './graph.ts'
import { type Bench, type BenchContext, type BenchResult, RUNS, formatSample, interleave } from './harness.ts'

const FOLLOWERS = 1_000_000

export const followersRead: Bench = {
  name: 'followers-read',
  describe: 'milliseconds to read a million follower numbers (goal: below 50), against one row per edge',
  run,
}

/** The reference to packed rows: one row per edge. */
const edgesTable = defineTable({
  name: 'bench_edges',
  partition: (_follower: number) => 'star',
  sort: (follower: number) => idKey(follower),
  value: struct({ on: u8 }),
})

async function run({ report }: BenchContext): Promise<BenchResult> {
  const world = await openEngineWorld(star())
  try {
    await writeEdges(world)
    const samples = await interleave(
      { ours: () => readPacked(world), reference: () => readEdges(world) },
      RUNS,
      report,
    )
    const { ours, reference } = samples
    report.table([
      ['1 M followers', 'ms'],
      ['packed rows', formatSample(ours)],
      ['one row per edge', formatSample(reference)],
    ])
    return {
      ours: ours.median,
      reference: reference.median,
      ratio: reference.median / ours.median,
      unit: 'ms',
      runs: RUNS,
    }
  } finally {
    await world.close()
  }
}

/** All other accounts follow account 0. */
function star(): Graph {
  const accounts = FOLLOWERS + 1
  const starts = new Uint32Array(accounts + 1).fill(FOLLOWERS)
  starts[0] = 0
  const followers = Uint32Array.from({ length: FOLLOWERS }, (_, i) => i + 1)
  return { name: 'a star', accounts, edges: FOLLOWERS, starts, followers }
}

async function writeEdges({ store }: EngineWorld): Promise<void> {
  const version = rowVersion(0, 1)
  for (let from = 0; from < FOLLOWERS; from += 10_000) {
    await store.write(
      Array.from({ length: 10_000 }, (_, i) =>
        edgesTable.row(edgesTable.key(numberOf(from + i + 1)), version, { on: 1 }),
      ),
    )
  }
}

async function readPacked({ rivulet }: EngineWorld): Promise<number> {
  const startMs = performance.now()
  const key = numberOf(0)
  let count = 0
  const [audience] = await rivulet.graph.followers.partsOf([key])
  for (const part of audience) {
    const chunks = rangesOf(part).map((range) => ({ key, ...range }))
    for (let at = 0; at < chunks.length; at += 64) {
      for (const numbers of await rivulet.graph.followers.membersIn(chunks.slice(at, at + 64)))
        count += numbers.length
    }
  }
  if (count !== FOLLOWERS) throw new Error(`read ${count} followers`)
  return performance.now() - startMs
}

async function readEdges({ store }: EngineWorld): Promise<number> {
  const startMs = performance.now()
  let count = 0
  for (let from = ''; ;) {
    const [rows] = await store.range([{ table: edgesTable, partition: 'star', from, limit: 10_000 }])
    count += rows.length
    if (rows.length < 10_000) break
    from = `${rows[rows.length - 1].sort}0`
  }
  if (count !== FOLLOWERS) throw new Error(`read ${count} edges`)
  return performance.now() - startMs
}
