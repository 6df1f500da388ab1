/** A domain for tests of the engine: its projection adds up numbers in a row, and each test brings its own reactors. */

import { struct, u32, u53 } from '../../src/core/codec.ts'
import { idKey } from '../../src/core/keys.ts'
import { createCursorSeal } from '../../src/core/cursor.ts'
import type { EngineContext } from '../../src/engine/context.ts'
import type { Domain, Reactor } from '../../src/engine/domain.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { defineEvent } from '../../src/engine/events.ts'
import { projection } from '../../src/engine/rows/projection.ts'
import { defineTable } from '../../src/engine/rows/tables.ts'
import { createFeed, type Feed } from '../../src/feed/index.ts'
import { createGraph, type Graph } from '../../src/graph/index.ts'
import { wholePorts, type RivuletPorts } from '../../src/app/rivulet.ts'

/** Log key: `key`. */
export const probed = defineEvent(200, 'probed', struct({ key: u53, n: u32 }))

export const probesTable = defineTable({
  name: 'probes',
  partition: (key: number) => idKey(key),
  value: struct({ sum: u53 }),
})

const onProbed = projection({
  on: probed,
  needs: ({ body }) => [probesTable.key(body.key)],
  apply({ body: { key, n }, version }, rows) {
    const row = probesTable.key(key)
    if (rows.versionOf(row) >= version) return
    rows.put(probesTable, row, version, { sum: (rows.get(probesTable, row)?.sum ?? 0) + n })
  },
})

export interface Probe {
  readonly engine: Engine
  readonly graph: Graph
  readonly feed: Feed
  readonly notices: readonly string[]
  readonly fatal: readonly unknown[]
  probe(key: number, n: number): Promise<number>
}

const POST_CACHE_BYTES = 16 * 2 ** 20

/** Starts an engine with the graph, the feed and this domain, which has the given reactors. */
export async function startProbe(ports: RivuletPorts, reactors: readonly Reactor[]): Promise<Probe> {
  const notices: string[] = []
  const fatal: unknown[] = []
  const built: { graph?: Graph; feed?: Feed } = {}
  const domain: Domain = { name: 'probe', events: [probed], projections: [onProbed], reactors }
  const build = (context: EngineContext) => {
    const graph = createGraph(context)
    const seal = createCursorSeal(new Uint8Array(32).fill(7))
    const feed = createFeed(context, graph, { seal, postCacheBytesMax: POST_CACHE_BYTES })
    Object.assign(built, { graph, feed })
    return {
      domains: [graph.domain, feed.domain, domain],
      background: [feed.fanout.runner, feed.timelines],
    }
  }
  const engine = createEngine(
    {
      ...wholePorts(ports),
      onFatal: (error) => fatal.push(error),
      onNotice: (text) => notices.push(text),
    },
    build,
  )
  await engine.start()
  const { graph, feed } = built as { graph: Graph; feed: Feed }
  const probe = async (key: number, n: number) => (await engine.produce(probed, key, { key, n })).id
  return { engine, graph, feed, notices, fatal, probe }
}
