/** Domains that do not fit together are refused, with what to change. */

import { expect, test } from 'vitest'
import { struct, u32 } from '../../src/core/codec.ts'
import { idKey } from '../../src/core/keys.ts'
import { createRivulet, wholePorts } from '../../src/app/rivulet.ts'
import { DOMAINS } from '../../src/app/domains.ts'
import { createEngine } from '../../src/engine/engine.ts'
import type { DomainParts, DomainSpec } from '../../src/engine/domain.ts'
import { defineEvent } from '../../src/engine/events.ts'
import { projection } from '../../src/engine/rows/projection.ts'
import { defineTable } from '../../src/engine/rows/tables.ts'
import { postsTable } from '../../src/feed/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import { NO_HOST } from '../support/alarms.ts'

const env = createRealEnv()
const ports = () => ({
  env,
  log: createMemoryLog({ env, partitions: 1 }),
  store: createMemoryStore({ env }),
  views: createMemoryViews({ bytesMax: 8 * 2 ** 20 }),
})
const body = struct({ n: u32 })
const event = (tag: number) => defineEvent(tag, `event_${tag}`, body)
const table = (name: string) =>
  defineTable({ name, partition: (key: number) => idKey(key), value: struct({ n: u32 }) })

function spec(fields: Partial<DomainSpec> & { parts?: Partial<DomainParts> } = {}): DomainSpec {
  const { parts, ...rest } = fields
  return {
    name: 'mine',
    tags: [200, 209],
    events: [event(200)],
    tables: [table('mine')],
    create: () => ({ api: undefined, projections: [], ...parts }),
    ...rest,
  }
}

const start = (...specs: readonly DomainSpec[]) => {
  const { openView, ...rest } = wholePorts(ports())
  return createEngine({ ...rest, openView, onFatal: () => undefined }, [...DOMAINS, ...specs], NO_HOST)
}

const refused = (message: RegExp, ...specs: readonly DomainSpec[]) =>
  expect(() => start(...specs)).toThrow(
    expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) }),
  )

test('one that fits is taken', () => {
  expect(start(spec())).toBeDefined()
})

test('tags of another domain, outside of its range, or given twice', () => {
  refused(/mine and feed both have event tags from 30 on/, spec({ tags: [30, 45], events: [event(40)] }))
  refused(/event_199 has the tag 199, which is not from 200 to 209/, spec({ events: [event(199)] }))
  refused(/have the same tag 201/, spec({ events: [event(201), { ...event(201), name: 'other' }] }))
  refused(/no range within 1 to 249/, spec({ tags: [240, 255], events: [] }))
})

test('a table of another domain or of the engine, and a name that is taken', () => {
  refused(/the table posts is declared by feed and by mine/, spec({ tables: [table('posts')] }))
  refused(/the table timers is declared by the engine and by mine/, spec({ tables: [table('timers')] }))
  refused(/two domains are called feed/, spec({ name: 'feed' }))
  refused(/Not a name is no name of a domain/, spec({ name: 'Not a name' }))
})

test('a view of two capacities, or that nobody declares', () => {
  const view = { name: 'home', capacity: 7, keep: 'all' } as const
  refused(/the view home is declared twice, with 800 \(all\) and 7 \(all\) entries/, spec({ views: [view] }))
  const reactor = { name: 'mine', takes: [], holds: ['inbox'], react: async () => undefined }
  refused(/holds the view inbox, which no domain declares/, spec({ parts: { reactors: [reactor] } }))
})

test('reactors of one name, and events that nobody declares', () => {
  const reactor = { name: 'feed-home', takes: [], holds: 'log', react: async () => undefined } as const
  refused(/two reactors are called feed-home/, spec({ parts: { reactors: [reactor] } }))
  const takes = { ...reactor, name: 'mine', takes: [event(205)] }
  refused(/takes event_205, which no domain declares/, spec({ parts: { reactors: [takes] } }))
  const projects = projection({ on: event(205), apply: () => undefined })
  expect(() => start(spec({ parts: { projections: [projects] } }))).toThrow(
    /event_205, which no domain declares/,
  )
})

test('a domain may project the event of another one into tables of its own, and into no others', async () => {
  const own = event(200)
  const table200 = table('mine')
  const mine = projection({
    on: own,
    apply: ({ body: { n }, version }, rows) => void rows.put(table200, table200.key(n), version, { n }),
  })
  const sums = table('sums')
  const others = projection({
    on: own,
    apply: ({ body: { n }, version }, rows) => void rows.put(sums, sums.key(n), version, { n }),
  })
  const foreign = projection({
    on: own,
    apply({ body: { n }, version }, rows) {
      if (n === 2) rows.put(postsTable, postsTable.key(n), version, {} as never)
    },
  })
  const notices: string[] = []
  const all = ports()
  const {
    engine,
    start: begin,
    stop,
  } = createRivulet(all, {
    secret: new Uint8Array(32),
    onNotice: (text) => notices.push(text),
    domains: [
      ...DOMAINS,
      spec({ events: [own], tables: [table200], parts: { projections: [mine] } }),
      spec({
        name: 'other',
        tags: [210, 219],
        events: [],
        tables: [sums],
        parts: { projections: [others, foreign] },
      }),
    ],
  })
  await begin()
  await engine.produce(own, 1, { n: 1 })
  expect((await all.store.get([table200.key(1), sums.key(1)])).every((row) => row !== undefined)).toBe(true)
  await expect(engine.produce(own, 1, { n: 2 })).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(notices[0]).toContain('posts is written by feed alone')
  await stop()
})
