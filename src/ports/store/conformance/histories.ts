/** Random histories: after each step, the adapter must answer as the model does. */

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  createModel,
  HOUR_MS,
  inOrder,
  LOG_PARTITIONS,
  ONCE,
  OTHER,
  plain,
  START_MS,
  type Step,
  steps,
  VERSIONED,
} from './model.ts'
import { scanAll, type Subject } from './subject.ts'

/**
 * Time stops here, before an adapter may remove an ended row for good: from then on it may accept a version older
 * than the removed one, while the model remembers versions for ever.
 */
const LAST_MS = START_MS + 2 * HOUR_MS - 1

export function histories(subject: Subject, runs: number): void {
  test('any history gives the answers of the model', { timeout: 240_000 }, async () => {
    const play = async (history: readonly Step[]) => {
      await subject.store.close()
      await subject.start()
      const model = createModel(() => subject.clock.wallMs)
      const positions = new Array<number>(LOG_PARTITIONS).fill(0)
      for (const step of history) await playStep(subject, model, positions, step)
      for (const table of [VERSIONED, OTHER, ONCE]) {
        expect(inOrder(await scanAll(subject.store, table, 3))).toEqual(inOrder(model.all(table)))
      }
    }
    await fc.assert(fc.asyncProperty(steps, play), { numRuns: runs })
  })
}

/** @param positions of the last checkpoint; a checkpoint raises them */
async function playStep(
  subject: Subject,
  model: ReturnType<typeof createModel>,
  positions: number[],
  step: Step,
): Promise<void> {
  const { store, clock } = subject
  switch (step.kind) {
    case 'write':
      model.write(step.rows)
      return store.write(step.rows)
    case 'insert': {
      const answers = await store.insertIfAbsent(step.rows)
      const comparable = answers.map(({ inserted, value }) => ({ inserted, value: Uint8Array.from(value) }))
      return expect(comparable).toEqual(model.insert(step.rows))
    }
    case 'get': {
      const rows = await store.get(step.keys)
      return expect(rows.map((each) => each && plain(each))).toEqual(model.get(step.keys))
    }
    case 'range': {
      const answers = await store.range(step.ranges)
      return expect(answers.map((rows) => rows.map(plain))).toEqual(step.ranges.map(model.range))
    }
    case 'scan': {
      const rows = await scanAll(store, step.table, step.limit)
      return expect(inOrder(rows)).toEqual(inOrder(model.all(step.table)))
    }
    case 'checkpoint':
      step.advance.forEach((by, partition) => (positions[partition] += by))
      await store.checkpoint([...positions])
      return expect(await store.watermark()).toEqual(positions)
    case 'wait':
      clock.wallMs = Math.min(clock.wallMs + step.ms, LAST_MS)
      return
    case 'reopen':
      return subject.reopen()
  }
}
