/** The checks of the drills, on histories with a planted fault each: a check that cannot fail checks nothing. */

import { expect, test } from 'vitest'
import { checkReads } from '../../tools/drills/check-reads.ts'
import { checkProfiles } from '../../tools/drills/check-stored.ts'
import {
  createHistory,
  type History,
  type Outcome,
  type Page,
  type PostOperation,
} from '../../tools/drills/history.ts'
import { effectOf, measure } from '../../tools/drills/measure.ts'

const AUTHOR = 1
const READER = 2

/** Post `id` is made at `id` ms, and answered 5 ms later. */
function post(history: History, id: number, outcome: Outcome = 'ok'): PostOperation {
  const made: PostOperation = {
    ...{ startMs: id, endMs: id + 5, outcome, via: 0, author: AUTHOR, ref: `ref-${id}`, deletes: [] },
    ...(outcome === 'ok' && { id, createdAtMs: id }),
  }
  history.addPost(made)
  return made
}

const follow = (history: History, startMs: number, on: boolean, outcome: Outcome = 'ok') =>
  history.addFollow({ startMs, endMs: startMs + 5, outcome, via: 0, reader: READER, author: AUTHOR, on })

function world(): History {
  const history = createHistory()
  follow(history, 0, true)
  for (const id of [100, 200, 300]) post(history, id)
  return history
}

const page = (ids: readonly number[], more: Partial<Page> = {}): Page => ({
  ...{ startMs: 1_000, endMs: 1_010, reader: READER, via: 0, belowId: Infinity, hasMore: false },
  ...{ isComplete: true, isDegraded: false, asOfMs: 1_000, knownMs: 1_000 },
  posts: ids.map((id) => ({ id, ref: `ref-${id}`, author: AUTHOR })),
  ...more,
})

function complaints(history: History, ...pages: Page[]): string[] {
  history.addRead({ startMs: 1_000, endMs: 1_010, outcome: 'ok', via: 0, reader: READER, pages })
  const lines: string[] = []
  checkReads(history, (line) => lines.push(line))
  return lines
}

test('what is right is not complained of', () => {
  expect(complaints(world(), page([300, 200, 100]))).toEqual([])
  expect(complaints(world(), page([300, 200], { hasMore: true }), page([100], { belowId: 200 }))).toEqual([])
})

test.each<[string, Page]>([
  ['in the middle', page([300, 100])],
  ['at the end', page([300, 200])],
  ['at the top', page([200, 100])],
  ['above the end of a page', page([300, 100], { hasMore: true })],
  ['of a later page', page([100], { belowId: 300 })],
  ['at the very moment', page([200, 100], { asOfMs: 300 })],
  ['answered only later', page([200, 100], { startMs: 304 })],
])('a complete page may lack nothing: %s', (_where, lacking) => {
  expect(complaints(world(), lacking)).toHaveLength(1)
})

test.each<[string, Page]>([
  ['it says so', page([300, 100], { isComplete: false })],
  ['it is newer than the page', page([200, 100], { asOfMs: 299 })],
  ['it comes on the next page', page([300, 200], { hasMore: true })],
])('a page may lack a post: %s', (_why, lacking) => {
  expect(complaints(world(), lacking)).toEqual([])
})

test('what was refused, deleted, unheard of or is of a stranger is not shown', () => {
  const refused = world()
  post(refused, 400, 'fail')
  expect(complaints(refused, page([400, 300, 200, 100]))).toHaveLength(1)

  const deleted = world()
  deleted.addDelete({ startMs: 500, endMs: 505, outcome: 'ok', via: 0, post: deleted.posts[0] })
  expect(complaints(deleted, page([300, 200, 100]))).toHaveLength(1)

  expect(complaints(world(), page([400, 300, 200, 100]))).toHaveLength(1)

  const unfollowed = world()
  follow(unfollowed, 600, false)
  expect(complaints(unfollowed, page([300, 200, 100]))).toHaveLength(3)
})

test('while nobody knows whether the reader follows, both are right', () => {
  for (const outcome of ['unknown', 'ok'] as const) {
    const history = world()
    follow(history, outcome === 'ok' ? 1_005 : 600, false, outcome)
    expect(complaints(history, page([300, 200, 100]), page([]))).toEqual([])
  }
})

test('what was asked of another process is known by `as_of`', () => {
  for (const [via, knownMs, complained] of [
    [0, 500, true],
    [1, 500, false],
    [1, 605, true],
  ] as const) {
    const unfollowed = world()
    follow(unfollowed, 600, false)
    const shown = page([300, 200, 100], { via, knownMs })
    expect(complaints(unfollowed, shown)).toHaveLength(complained ? 3 : 0)

    const deleted = world()
    deleted.addDelete({ startMs: 600, endMs: 605, outcome: 'ok', via: 0, post: deleted.posts[0] })
    expect(complaints(deleted, shown)).toHaveLength(complained ? 1 : 0)
  }
})

test('a refused change of an edge changed nothing', () => {
  const history = world()
  follow(history, 600, false, 'fail')
  expect(complaints(history, page([]))).toHaveLength(3)
})

test('a post twice, or out of order', () => {
  const twice = complaints(world(), page([300, 200], { hasMore: true }), page([200, 100], { belowId: 200 }))
  expect(twice.some((line) => line.includes('twice'))).toBe(true)
  expect(complaints(world(), page([300, 100, 200])).some((line) => line.includes('out of order'))).toBe(true)
})

test('profiles hold what was acknowledged, once, and nothing else', () => {
  const seen = (id: number, ref = `ref-${id}`) => ({ id, ref, author: AUTHOR })
  const found = (history: History, ...posts: ReturnType<typeof seen>[]) => {
    const lines: string[] = []
    checkProfiles(history, [[], posts], (line) => lines.push(line))
    return lines
  }
  const three = [seen(300), seen(200), seen(100)]
  expect(found(world(), ...three)).toEqual([])
  expect(found(world(), seen(300), seen(100))).toHaveLength(1)
  expect(found(world(), ...three, seen(400))).toHaveLength(1)
  expect(found(world(), ...three, seen(301, 'ref-300'))).toHaveLength(1)
  for (const [outcome, complaintsExpected] of [
    ['fail', 1],
    ['unknown', 0],
  ] as const) {
    const history = world()
    post(history, 400, outcome)
    expect(found(history, seen(400), ...three)).toHaveLength(complaintsExpected)
    expect(found(history, ...three)).toEqual([])
  }
})

test('a fault that nobody met was not there', () => {
  const history = world()
  expect(effectOf(history, [{ fromMs: 0, toMs: 1_000 }]).wasSeen).toBe(false)
  post(history, 900, 'unknown')
  expect(effectOf(history, [{ fromMs: 0, toMs: 1_000 }]).wasSeen).toBe(true)
  expect(effectOf(history, [{ fromMs: 0, toMs: 800 }]).wasSeen).toBe(false)
  expect(measure(history).writes).toMatchObject({ counts: { ok: 4, unknown: 1 }, pauseMs: 100 })
})
