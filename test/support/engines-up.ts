/**
 * Starts the engines that the tests run on, once for all files: one node of each, or three with ENGINES_NODES=3.
 * ENGINES names those that are needed (`ENGINES=redis,kafka`); with ENGINES_KEEP=1 they stay up for the next run.
 */

import type { TestProject } from 'vitest/node'
import { cassandra } from '../../tools/engines/cassandra.ts'
import {
  ENGINE_NAMES,
  folderOfCheckout,
  openEngineFolder,
  type EngineFolder,
  type EngineName,
} from '../../tools/engines/engine.ts'
import { kafka } from '../../tools/engines/kafka.ts'
import { redis } from '../../tools/engines/redis.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** For each engine that was started: `host:port` of its nodes. */
    engines: Partial<Record<EngineName, string[]>>
  }
}

const DEFINITIONS = { kafka, cassandra, redis }

/** The folder of the test engines, for a test that freezes one. */
export const testEngines = (): EngineFolder => openEngineFolder(folderOfCheckout('test-engines'))

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { ENGINES, ENGINES_KEEP, ENGINES_NODES } = process.env
  const count = ENGINES_NODES === '3' ? 3 : 1
  const folder = testEngines()
  const names = ENGINES === undefined ? ENGINE_NAMES : ENGINE_NAMES.filter((name) => ENGINES.includes(name))
  const up = names.map((name) => folder.up(DEFINITIONS[name], count, (line) => console.log(line)))
  const engines = await Promise.all(up)
  const addresses = engines.map(({ name, nodes }) => [name, nodes.map(({ host, port }) => `${host}:${port}`)])
  project.provide('engines', Object.fromEntries(addresses))
  return async () => {
    if (ENGINES_KEEP !== undefined) return
    for (const engine of engines) {
      await engine.stop()
      folder.wipe(engine.name)
    }
  }
}
