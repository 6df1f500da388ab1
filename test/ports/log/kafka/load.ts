/** Writers that go on during a fault, and a check of the answers that they got against the records in the log. */

import { expect } from 'vitest'
import { isRivuletError } from '../../../../src/core/errors.ts'
import type { Log } from '../../../../src/ports/log/log.ts'
import { env, pause, type Stored } from './support.ts'

export interface Load {
  /** Positions by text of the record. */
  readonly acknowledged: Map<string, { partition: number; position: number }>
  readonly unknown: Set<string>
  readonly unavailable: Set<string>
  readonly others: unknown[]
  /** The longest time of an acknowledged append. */
  slowestMs: number
  /** The longest time between two acknowledgements, in which nothing was written. */
  longestPauseMs: number
  stop(): Promise<void>
}

/** Each writer has a key of its own and waits for the answer before it goes on. */
export function startLoad(log: Log, writers: number): Load {
  let running = true
  let lastMs = env.monotonicMs()
  const load: Load = {
    acknowledged: new Map(),
    unknown: new Set(),
    unavailable: new Set(),
    others: [],
    slowestMs: 0,
    longestPauseMs: 0,
    async stop() {
      running = false
      await Promise.all(loops)
    },
  }

  async function write(key: number, n: number): Promise<void> {
    const text = `${key}:${n}`
    const sinceMs = env.monotonicMs()
    try {
      const [position] = await log.append([{ key, value: Buffer.from(text) }])
      load.acknowledged.set(text, { partition: log.partitionOf(key), position })
      load.slowestMs = Math.max(load.slowestMs, env.monotonicMs() - sinceMs)
      load.longestPauseMs = Math.max(load.longestPauseMs, env.monotonicMs() - lastMs)
      lastMs = env.monotonicMs()
    } catch (error) {
      if (isRivuletError(error, 'outcome_unknown')) load.unknown.add(text)
      else if (isRivuletError(error, 'unavailable')) load.unavailable.add(text)
      else load.others.push(error)
      await pause(50)
    }
  }

  const loops = Array.from({ length: writers }, async (_, key) => {
    for (let n = 0; running; n++) await write(key, n)
  })
  return load
}

/** Checks what the log promises after any fault: no record lost, repeated or out of order, and none that was refused. */
export function checkLoad(load: Load, stored: readonly Stored[]): void {
  expect(load.others).toEqual([])
  const texts = new Set(stored.map(({ text }) => text))
  expect(texts.size, 'a record is there twice').toBe(stored.length)
  const at = new Map(stored.map((record) => [record.text, record]))
  const lost = [...load.acknowledged].filter(([text, { partition, position }]) => {
    const record = at.get(text)
    return record === undefined || record.partition !== partition || record.position !== position
  })
  expect(lost, 'acknowledged, and not there or elsewhere').toEqual([])
  expect(
    [...load.unavailable].filter((text) => texts.has(text)),
    'denied, and there',
  ).toEqual([])
  const newest = new Map<string, number>()
  for (const { text } of stored) {
    const [key, n] = text.split(':')
    expect(Number(n)).toBeGreaterThan(newest.get(key) ?? -1)
    newest.set(key, Number(n))
  }
}
