/** What may be saved as done of a partition. */

import { expect, test } from 'vitest'
import { createSavePoints } from '../../../src/engine/horizon/save-points.ts'

test('a partition is saved as far as the views have been told, and no further', () => {
  const points = createSavePoints(1)
  points.begin(0, 10)
  points.reacted(0, 20, 100)
  points.reacted(0, 30, 300)
  // Without events, or with ids below others: they go with what is before them.
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

test('what is never told is not remembered one by one', () => {
  const points = createSavePoints(1)
  points.begin(0, 0)
  for (let i = 1; i <= 10_000; i++) points.reacted(0, i, i)
  expect(points.upTo(0, 4_000)).toBe(4_000)
  expect(points.upTo(0, 10_000)).toBe(10_000)
})
