/** A domain for tests of the engine: its projection adds up numbers in a row, and each test brings its own reactors. */

import { struct, u32, u53 } from '../../src/core/codec.ts'
import { idKey } from '../../src/core/keys.ts'
import { DOMAINS } from '../../src/app/domains.ts'
import { createRivulet, type RivuletPorts } from '../../src/app/rivulet.ts'
import type { DomainSpec, Reactor } from '../../src/engine/domain.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { defineEvent } from '../../src/engine/events.ts'
import { projection } from '../../src/engine/rows/projection.ts'
import { defineTable } from '../../src/engine/rows/tables.ts'
import type { Feed } from '../../src/feed/index.ts'
import type { Graph } from '../../src/graph/index.ts'

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

/** The feed and the graph, and beside them a domain with these reactors. */
export async function startProbe(ports: RivuletPorts, reactors: readonly Reactor[]): Promise<Probe> {
  const notices: string[] = []
  const fatal: unknown[] = []
  const domain: DomainSpec<undefined> = {
    name: 'probe',
    tags: [200, 200],
    events: [probed],
    tables: [probesTable],
    create: () => ({ api: undefined, projections: [onProbed], reactors }),
  }
  const { engine, graph, feed, start } = createRivulet(ports, {
    secret: new Uint8Array(32).fill(7),
    onFatal: (error) => fatal.push(error),
    onNotice: (text) => notices.push(text),
    domains: [...DOMAINS, domain],
  })
  await start()
  const probe = async (key: number, n: number) => (await engine.produce(probed, key, { key, n })).id
  return { engine, graph, feed, notices, fatal, probe }
}
