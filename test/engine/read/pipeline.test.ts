/** A page is made without a lead that fails or is late; where another source fails, that is never taken for the end. */

import { expect, test } from 'vitest'
import { RivuletError } from '../../../src/core/errors.ts'
import { Histogram, LATENCY_BOUNDS_MS } from '../../../src/core/histogram.ts'
import { runPipeline } from '../../../src/engine/read/pipeline.ts'
import {
  definePipeline,
  type Source,
  type SourceSlice,
  type Window,
} from '../../../src/engine/read/stages.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

type Item = { readonly id: number }
type Read = (window: Window) => SourceSlice<Item> | Promise<SourceSlice<Item>>

const env = () => createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })
const source = (name: string, read: Read): Source<object, Item> => ({
  name,
  latency: new Histogram(LATENCY_BOUNDS_MS),
  read: (_query, window) => read(window),
})

/** A source that has exactly these ids, which are newest first. */
const among =
  (ids: readonly number[]): Read =>
  ({ below, atLeast, limit }) => {
    const within = ids.filter((id) => id < below && id >= atLeast)
    const some = within.slice(0, limit)
    return {
      candidates: some.map((id) => ({ id })),
      lower: some.length < within.length ? some[some.length - 1] : atLeast,
    }
  }

function pipelineOf(lead: Read, other: Read) {
  const windows: Window[] = []
  const pipeline = definePipeline<object, Item, Item>({
    name: 'test',
    lead: source('lead', lead),
    sources: [
      source('other', (window) => {
        windows.push(window)
        return other(window)
      }),
    ],
    early: [],
    hydrate: (_query, candidates) => [...candidates],
    filters: [],
    recheck: () => [],
  })
  return { pipeline, windows }
}

const IDS = Array.from({ length: 60 }, (_, i) => 60 - i)
const ALL = { below: Infinity, atLeast: 0, limit: 60 }

test('the other sources learn that the lead vouches for its slice', async () => {
  const lead: Read = (window) => ({ ...(among(IDS)(window) as SourceSlice<Item>), covered: true })
  const { pipeline, windows } = pipelineOf(lead, among([]))
  const page = await runPipeline(env(), pipeline, {}, ALL)
  expect(page.selected.map(({ id }) => id)).toEqual(IDS)
  expect(page.failed).toEqual([])
  expect(windows.every(({ covered }) => covered === true)).toBe(true)
})

test('a lead that fails is named, and the other sources learn that it does not vouch for the window', async () => {
  const { pipeline, windows } = pipelineOf(() => {
    throw new Error('away')
  }, among(IDS))
  const page = await runPipeline(env(), pipeline, {}, ALL)
  expect(page.selected.map(({ id }) => id)).toEqual(IDS)
  expect(page.failed).toEqual(['lead'])
  expect(windows.every(({ covered }) => covered === false)).toBe(true)
})

test('a lead that is late never vouches for a window, in any round', async () => {
  const clock = env()
  let rounds = 0
  const late: Read = (window) =>
    new Promise((resolve) => {
      rounds++
      clock.timer(5_000, () => resolve({ ...(among(IDS)(window) as SourceSlice<Item>), covered: true }))
    })
  const { pipeline, windows } = pipelineOf(late, ({ limit, ...window }) =>
    // In small steps, so that there are several rounds.
    among(IDS)({ ...window, limit: Math.min(limit, 25) }),
  )
  const reading = runPipeline(clock, pipeline, {}, ALL)
  await clock.run(20_000)
  const page = await reading
  expect(page.selected.map(({ id }) => id)).toEqual(IDS)
  expect(page.failed).toEqual(['lead'])
  expect(rounds).toBeGreaterThan(1)
  expect(windows.every(({ covered }) => covered === false)).toBe(true)
})

const away = () => new RivuletError('unavailable', 'away')

test('where another source fails in the first round, the page fails', async () => {
  const { pipeline } = pipelineOf(among([9, 7]), () => Promise.reject(away()))
  await expect(runPipeline(env(), pipeline, {}, ALL)).rejects.toMatchObject({ code: 'unavailable' })
})

test('where another source fails in a later round, the page ends above that round and says so', async () => {
  let rounds = 0
  const { pipeline } = pipelineOf(
    among(IDS),
    // In small steps, so that there are several rounds.
    ({ limit, ...window }) =>
      rounds++ < 2 ? among(IDS)({ ...window, limit: Math.min(limit, 10) }) : Promise.reject(away()),
  )
  const page = await runPipeline(env(), pipeline, {}, ALL)
  expect(page.isCut).toBe(true)
  expect(page.lower).toBe(41)
  expect(page.selected.map(({ id }) => id)).toEqual(IDS.filter((id) => id >= 41))
})

test('an error that is not retriable fails the page, whatever was selected already', async () => {
  let rounds = 0
  const { pipeline } = pipelineOf(among(IDS), ({ limit, ...window }) => {
    if (rounds++ > 1) throw new TypeError('a bug')
    return among(IDS)({ ...window, limit: Math.min(limit, 10) })
  })
  await expect(runPipeline(env(), pipeline, {}, ALL)).rejects.toThrow(TypeError)
})
