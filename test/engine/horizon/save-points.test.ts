/** How far a partition may be saved as done. */

import { expect, test } from 'vitest'
import { createSavePoints } from '../../../src/engine/horizon/save-points.ts'

test('a partition is saved up to its published horizon, and no further', () => {
  const points = createSavePoints(1)
  points.begin(0, 10)
  points.reacted(0, 20, 100)
  points.reacted(0, 30, 300)
  // Batches without events, or with ids that are no higher than earlier ones, are saved together with those before them.
  points.reacted(0, 35, 0)
  points.reacted(0, 40, 200)
  points.reacted(0, 50, 400)
  expect(points.upTo(0, 99)).toBe(10)
  expect(points.upTo(0, 100)).toBe(20)
  expect(points.upTo(0, 299)).toBe(20)
  expect(points.upTo(0, 300)).toBe(40)
  expect(points.upTo(0, 1_000)).toBe(50)
  points.reacted(0, 60, 0)
  expect(points.upTo(0, 1_000)).toBe(60)
  points.begin(0, 15)
  expect(points.upTo(0, 1_000)).toBe(15)
})

test('the number of points that are kept is bounded', () => {
  const points = createSavePoints(1)
  points.begin(0, 0)
  for (let i = 1; i <= 10_000; i++) points.reacted(0, i, i)
  expect(points.upTo(0, 4_000)).toBe(4_000)
  expect(points.upTo(0, 10_000)).toBe(10_000)
})
