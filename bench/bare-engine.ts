/** The engine alone on a scratch folder, with domains of a bench and none of the product. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wholePorts } from '../src/app/rivulet.ts'
import type { DomainSpec } from '../src/engine/domain.ts'
import { createEngine, type Engine } from '../src/engine/engine.ts'
import { keepProcess } from '../src/ports/env/keep.ts'
import { createRealEnv } from '../src/ports/env/real.ts'
import { openSegmentLog } from '../src/ports/log/segments/segments.ts'
import { openLevelStore } from '../src/ports/store/leveldb/leveldb.ts'
import { createMemoryViews } from '../src/ports/views/memory/memory.ts'

export interface BareEngine {
  readonly engine: Engine
  close(): Promise<void>
}

const VIEWS_BYTES = 64 * 2 ** 20

export async function openBareEngine(...domains: readonly DomainSpec<any>[]): Promise<BareEngine> {
  const env = createRealEnv()
  // Nothing listens here: between two steps, only timers of the engine may be left, and they keep no process alive.
  const kept = keepProcess()
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-bench-'))
  const onFatal = (error: unknown) => {
    throw error
  }
  const common = { env, onFatal, onNotice: () => undefined }
  const log = await openSegmentLog({ ...common, folder: join(folder, 'log') })
  const store = await openLevelStore({ env, onFatal, folder: join(folder, 'store') })
  const views = createMemoryViews({ bytesMax: VIEWS_BYTES })
  const host = { secret: new Uint8Array(32), setting: () => undefined }
  const engine = createEngine({ ...wholePorts({ env, log, store, views }), ...common }, domains, host)
  await engine.start()
  return {
    engine,
    async close() {
      await engine.stop()
      await Promise.all([log.close(), store.close(), views.close()])
      rmSync(folder, { recursive: true, force: true })
      kept.release()
    },
  }
}

/** Runs so many tasks, a few of them at a time. */
export async function inParallel(
  count: number,
  width: number,
  task: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const run = async () => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: width }, run))
}
