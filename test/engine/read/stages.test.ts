/** Verdicts are counted by rule, batch stages keep length and order, scorers and a selector choose, explain agrees. */

import { describe, expect, test } from 'vitest'
import { isRivuletError } from '../../../src/core/errors.ts'
import { Histogram, LATENCY_BOUNDS_MS } from '../../../src/core/histogram.ts'
import { explain } from '../../../src/engine/read/explain.ts'
import { runPipeline } from '../../../src/engine/read/pipeline.ts'
import {
  definePipeline,
  KEPT,
  verdicts,
  type Filter,
  type PipelineDefinition,
  type Scorer,
  type Selector,
} from '../../../src/engine/read/stages.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

interface Item {
  readonly id: number
}
interface Query {
  /** Items that were deleted while the page was made. */
  readonly gone?: readonly number[]
}
type Definition = PipelineDefinition<Query, Item, Item>

const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })

const SIZE = verdicts('too_small', 'too_large')
/** Early: keeps ids from 11 to 50. */
const sizeFilter: Filter<Query, Item> = {
  rules: Object.keys(SIZE),
  judge(_query, { id }) {
    if (id <= 10) return SIZE.too_small
    return id > 50 ? SIZE.too_large : KEPT
  },
}
const odd: Filter<Query, Item> = { rules: ['odd'], judge: (_query, { id }) => id % 2 }
const gone: Filter<Query, Item> = {
  rules: ['gone'],
  judge: (query, { id }) => (query.gone?.includes(id) === true ? 1 : KEPT),
}

/** Of the ids from 60 down to 1, the source gives all but 33; those that 10 divides have no data. */
function pipelineOf(changes: Partial<Definition> = {}) {
  const ids = Array.from({ length: 60 }, (_, i) => 60 - i).filter((id) => id !== 33)
  return definePipeline<Query, Item, Item>({
    name: 'numbers',
    lead: {
      name: 'lead',
      latency: new Histogram(LATENCY_BOUNDS_MS),
      read(_query, { below, atLeast, limit }) {
        const within = ids.filter((id) => id < below && id >= atLeast)
        const some = within.slice(0, limit)
        return {
          candidates: some.map((id) => ({ id })),
          lower: some.length < within.length ? some[some.length - 1] : atLeast,
        }
      },
    },
    sources: [],
    early: [sizeFilter],
    hydrate: (_query, candidates) => candidates.map((one) => (one.id % 10 === 0 ? undefined : one)),
    filters: [odd, gone],
    recheck: () => [],
    candidateOf: (_query, id) => (id > 60 ? undefined : { id }),
    ...changes,
  })
}

const page = (pipeline: ReturnType<typeof pipelineOf>, limit: number, query: Query = {}) =>
  runPipeline(env, pipeline, query, { below: Infinity, atLeast: 0, limit })
const idsOf = (items: readonly Item[]) => items.map(({ id }) => id)
const brokenBy = (run: Promise<unknown>) =>
  run.then(
    () => undefined,
    (error: unknown) => (isRivuletError(error, 'internal') ? error.message : error),
  )

describe('verdicts', () => {
  test('are counted by rule, for the run and for all runs', async () => {
    const pipeline = pipelineOf()
    const { selected, removed } = await page(pipeline, 60)
    expect(idsOf(selected)).toEqual(
      Array.from({ length: 20 }, (_, i) => 50 - 2 * i).filter((id) => id % 10 !== 0),
    )
    expect(pipeline.rules).toEqual(['missing', 'too_small', 'too_large', 'odd', 'gone'])
    // Missing are 20, 30, 40 and 50; 33 is odd, but no source gives it.
    expect([...removed]).toEqual([4, 10, 10, 19, 0])
    expect([...(await page(pipeline, 60)).removed]).toEqual([4, 10, 10, 19, 0])
    expect([...pipeline.removed]).toEqual([8, 20, 20, 38, 0])
  })

  test('are asked for again once the page is gathered, where they may have changed', async () => {
    const pipeline = pipelineOf({ filters: [odd], early: [sizeFilter, gone], recheck: async () => [gone] })
    const query: { gone?: readonly number[] } = {}
    const early = await runPipeline(
      env,
      { ...pipeline, recheck: () => ((query.gone = [48]), [gone]) },
      query,
      { below: Infinity, atLeast: 45, limit: 60 },
    )
    expect(idsOf(early.selected)).toEqual([46])
    expect(early.removed[pipeline.rules.indexOf('gone')]).toBe(1)
    expect(idsOf((await page(pipeline, 60, { gone: [48] })).selected)).not.toContain(48)
  })

  test('that name no rule of the filter, or come from a filter of elsewhere, break the pipeline', async () => {
    const wild = { ...odd, judge: () => 2 }
    expect(await brokenBy(page(pipelineOf({ filters: [wild] }), 60))).toContain('numbers')
    const foreign = { rules: ['foreign'], judge: () => 1 }
    expect(await brokenBy(page(pipelineOf({ recheck: () => [foreign] }), 60))).toContain('numbers')
  })

  test('have names of their own', () => {
    expect(() => pipelineOf({ filters: [odd, { ...gone, rules: ['odd'] }] })).toThrow(/numbers/)
  })
})

describe('hydrate', () => {
  test.for<[string, Definition['hydrate']]>([
    ['shortens', (_query, candidates) => candidates.slice(1)],
    ['lengthens', (_query, candidates) => [...candidates, { id: 0 }]],
    ['reorders', (_query, candidates) => [...candidates].reverse()],
    ['reorders, later', async (_query, candidates) => [...candidates].reverse()],
  ])('that %s its batch breaks the pipeline, by its name', async ([, hydrate]) => {
    const message = await brokenBy(page(pipelineOf({ hydrate }), 60))
    expect(message).toContain('hydrate of numbers')
  })
})

/** The nearer to 30, the better. */
const near: Scorer<Query, Item> = {
  name: 'near',
  score(_query, items, scores) {
    for (let i = 0; i < items.length; i++) scores[i] += 100 - Math.abs(items[i].id - 30)
  },
}
const byScore: Selector<Query, Item> = {
  name: 'by_score',
  select: (_query, items, scores, limit) =>
    Array.from(items.keys())
      .sort((a, b) => scores[b] - scores[a])
      .slice(0, limit)
      .map((i) => items[i]),
}

describe('a selector', () => {
  test('takes the best of the pool, in the order of their scores', async () => {
    const pipeline = pipelineOf({ scorers: [near], selector: byScore, pool: 60 })
    expect(idsOf((await page(pipeline, 5)).selected)).toEqual([32, 28, 34, 26, 36])
  })

  test('chooses from the pool, and the page tells how far that reached', async () => {
    const pipeline = pipelineOf({ scorers: [near], selector: byScore, pool: 4 })
    const request = { below: 50, atLeast: 0, limit: 2 }
    const { selected, lower } = await runPipeline(env, pipeline, {}, request)
    // The first round gives 49 to 42, of which three are even; the second gives the rest of the pool, and some more.
    expect(lower).toBeGreaterThan(32)
    expect(idsOf(selected)).toEqual([lower + (lower % 2), lower + (lower % 2) + 2])
    const all = await runPipeline(env, pipelineOf(), {}, { ...request, limit: 4 })
    expect(all.lower).toBe(lower)
  })

  test('sees scores that earlier scorers left, and sinks what has none', async () => {
    const halveLarge: Scorer<Query, Item> = {
      name: 'halve_large',
      score: (_query, items, scores) => items.forEach(({ id }, i) => (scores[i] /= id > 30 ? 2 : 1)),
    }
    const spoil: Scorer<Query, Item> = {
      name: 'spoil',
      score: (_query, items, scores) => void (scores[items.findIndex(({ id }) => id === 28)] = NaN),
    }
    const pipeline = pipelineOf({ scorers: [near, halveLarge, spoil], selector: byScore, pool: 60 })
    expect(idsOf((await page(pipeline, 3)).selected)).toEqual([26, 24, 22])
    expect(idsOf((await page(pipeline, 60)).selected).at(-1)).toBe(28)
  })

  test.for<[string, Selector<Query, Item>['select']]>([
    ['more than the page holds', (_query, items) => items],
    ['an item twice', (_query, [first]) => [first, first]],
    ['an item that is not in the pool', (_query, [{ id }]) => [{ id }]],
  ])('that takes %s breaks the pipeline, by its name', async ([, select]) => {
    const pipeline = pipelineOf({ selector: { name: 'greedy', select }, pool: 60 })
    expect(await brokenBy(page(pipeline, 5))).toContain('selector greedy of numbers')
  })

  test('is needed where there are scorers, and its pool is bounded', () => {
    expect(() => pipelineOf({ scorers: [near] })).toThrow(/selector/)
    for (const pool of [0, 1.5, 2_001]) expect(() => pipelineOf({ selector: byScore, pool })).toThrow(/pool/)
  })
})

describe('explain', () => {
  test.for([
    [42, 'kept', null],
    [5, 'early', 'too_small'],
    [55, 'early', 'too_large'],
    [20, 'hydrate', 'missing'],
    [21, 'filters', 'odd'],
    [44, 'filters', 'gone'],
    [33, 'sources', 'odd'],
    [99, 'sources', 'missing'],
  ] as const)('of %i is %s by %s, as the page has it, and counts nothing', async ([id, stage, rule]) => {
    const pipeline = pipelineOf()
    const query = { gone: [44] }
    expect(await explain(env, pipeline, query, id)).toEqual({ stage, rule })
    expect(pipeline.removed.every((count) => count === 0)).toBe(true)
    expect(idsOf((await page(pipeline, 60, query)).selected).includes(id)).toBe(rule === null)
  })

  test('knows no reason where the pipeline cannot make a candidate', async () => {
    const { candidateOf: _, ...rest } = pipelineOf()
    expect(await explain(env, definePipeline(rest), {}, 33)).toEqual({ stage: 'sources', rule: null })
  })

  test('names what changed while the stages ran', async () => {
    const query: { gone?: readonly number[] } = {}
    const pipeline = pipelineOf({ recheck: () => ((query.gone = [42]), [gone]) })
    expect(await explain(env, pipeline, query, 42)).toEqual({ stage: 'recheck', rule: 'gone' })
  })
})
