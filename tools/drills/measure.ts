/** Counts and times of a history, and the effect of the fault on its operations. */

import type { History, Operation, Outcome } from './history.ts'

export interface Tally {
  readonly counts: Readonly<Record<Outcome, number>>
  /** The longest time between two operations that succeeded. */
  readonly pauseMs: number
  /** The duration of the slowest operation that succeeded. */
  readonly slowestMs: number
}

export interface Figures {
  readonly writes: Tally
  readonly reads: Tally
  /** Number of operations that clients sent again by themselves. */
  readonly retried: number
  /** How often each error code occurred. */
  readonly codes: Readonly<Record<string, number>>
}

export interface Window {
  readonly fromMs: number
  readonly toMs: number
}

/** How the fault affected the operations that were under way while it lasted. */
export interface Effect {
  readonly wasSeen: boolean
  readonly fail: number
  readonly unknown: number
  readonly incompletePages: number
  /** Pages that name a source that failed. */
  readonly degradedPages: number
  readonly slowestMs: number
}

/** On a loaded machine with two cores, an operation that takes longer than this has waited for something. */
const SLOW_MS = 200

const writesOf = ({ posts, deletes, follows }: History): readonly Operation[] => [
  ...posts,
  ...deletes,
  ...follows,
]

export function measure(history: History): Figures {
  const writes = writesOf(history)
  const codes: Record<string, number> = {}
  for (const { outcome, code } of [...writes, ...history.reads])
    if (outcome !== 'ok' && code !== undefined) codes[code] = (codes[code] ?? 0) + 1
  const retried = [...writes, ...history.reads].filter(({ retries = 0 }) => retries > 0).length
  return { writes: tally(writes), reads: tally(history.reads), retried, codes }
}

function tally(operations: readonly Operation[]): Tally {
  const counts: Record<Outcome, number> = { ok: 0, fail: 0, unknown: 0 }
  for (const { outcome } of operations) counts[outcome]++
  const good = operations.filter(({ outcome }) => outcome === 'ok')
  const ends = good.map(({ endMs }) => endMs).sort((a, b) => a - b)
  const pauses = ends.map((endMs, at) => (at === 0 ? 0 : endMs - ends[at - 1]))
  return { counts, pauseMs: Math.max(0, ...pauses), slowestMs: slowestOf(good) }
}

const slowestOf = (operations: readonly Operation[]): number =>
  Math.max(0, ...operations.map(({ startMs, endMs }) => endMs - startMs))

export function effectOf(history: History, windows: readonly Window[]): Effect {
  const isWithin = ({ startMs, endMs }: { startMs: number; endMs: number }) =>
    windows.some(({ fromMs, toMs }) => endMs > fromMs && startMs < toMs)
  const met = [...writesOf(history), ...history.reads].filter(isWithin)
  const fail = met.filter(({ outcome }) => outcome === 'fail').length
  const unknown = met.filter(({ outcome }) => outcome === 'unknown').length
  const pages = history.reads.flatMap((read) => read.pages).filter(isWithin)
  const incompletePages = pages.filter(({ isComplete }) => !isComplete).length
  const degradedPages = pages.filter(({ isDegraded }) => isDegraded).length
  const slowestMs = slowestOf(met)
  const wasSeen = fail + unknown + incompletePages + degradedPages > 0 || slowestMs >= SLOW_MS
  return { wasSeen, fail, unknown, incompletePages, degradedPages, slowestMs }
}
