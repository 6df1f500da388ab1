/** A whole engine in memory, and short calls to make accounts, post and read. */

import { createRivulet, type Rivulet } from '../../src/index.ts'
import type { Env } from '../../src/ports/env/env.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import type { Views } from '../../src/ports/views/views.ts'

/** Seals the cursors of the engines below. */
export const TEST_SECRET = new Uint8Array(32).fill(3)

export interface TestEngine {
  readonly rivulet: Rivulet
  readonly views: Views
  /** Makes accounts. @returns their numbers */
  people(count: number): Promise<number[]>
  post(author: number, fields?: { content?: string; replyTo?: number; repostOf?: number }): Promise<number>
  /** Reads the home feed to its end, in pages of `limit`. @returns the ids of its items */
  ids(reader: number, limit?: number): Promise<number[]>
}

export async function startEngine(capacity = 800, env: Env = createRealEnv()): Promise<TestEngine> {
  const views = createMemoryViews({ bytesMax: 64 * 2 ** 20, capacity })
  const ports = {
    env,
    log: createMemoryLog({ env, partitions: 1 }),
    store: createMemoryStore({ env }),
    views,
  }
  const rivulet = createRivulet(ports, { secret: TEST_SECRET })
  await rivulet.start()
  return {
    rivulet,
    views,
    people: (count) =>
      Promise.all(
        Array.from({ length: count }, async () => (await rivulet.graph.commands.createAccount({})).number),
      ),
    async post(author, fields = {}) {
      const content = fields.repostOf === undefined ? { content: 'text' } : {}
      return (await rivulet.feed.commands.post(author, { ...content, ...fields })).id
    },
    async ids(reader, limit = 100) {
      const read: number[] = []
      let cursor: string | undefined
      do {
        const page = await rivulet.feed.reads.home(reader, { limit, cursor })
        read.push(...page.items.map(({ id }) => id))
        cursor = page.nextCursor
      } while (cursor !== undefined)
      return read
    },
  }
}
