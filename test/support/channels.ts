/**
 * A domain for tests of fan-out: channels with members in packed rows, and messages that reach every member. Those who
 * are online come first. A message is a row in each member's mail, and an entry of the view `channels`.
 */

import { struct, u32, u32Array, u53, u8, list } from '../../src/core/codec.ts'
import { idKey, u32Key } from '../../src/core/keys.ts'
import { wholePorts, type RivuletPorts } from '../../src/app/rivulet.ts'
import type { EngineContext } from '../../src/engine/context.ts'
import { isEvent, type DomainSpec } from '../../src/engine/domain.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { defineEvent, defineNotice } from '../../src/engine/events.ts'
import type { Audience } from '../../src/engine/fanout/audience.ts'
import type { Pace, Piece } from '../../src/engine/fanout/definition.ts'
import { defineFanout, type Fanout } from '../../src/engine/fanout/fanout.ts'
import { lanesBy } from '../../src/engine/fanout/lanes.ts'
import { createMarks, type Marks } from '../../src/engine/fanout/marks.ts'
import { createTiers, type Tiers } from '../../src/engine/fanout/policy.ts'
import {
  defineFanoutTables,
  defineMarksTable,
  defineTiersTable,
  ID_KEYS,
} from '../../src/engine/fanout/tables.ts'
import { projection } from '../../src/engine/rows/projection.ts'
import { defineTable } from '../../src/engine/rows/tables.ts'
import type { SharedOptions } from '../../src/engine/processes/shared.ts'
import type { Store } from '../../src/ports/store/store.ts'
import type { Views, ViewSpec } from '../../src/ports/views/views.ts'
import { NO_HOST } from './alarms.ts'

/** Key of all events: the channel. */
export const joined = defineEvent(230, 'channel_joined', struct({ channel: u53, members: u32Array }))
export const sent = defineEvent(231, 'channel_message_sent', struct({ channel: u53, kind: u32 }))
export const tierSet = defineEvent(232, 'channel_tier_set', struct({ channel: u53, override: u8, share: u8 }))
export const raised = defineNotice(
  233,
  'channel_marks_raised',
  struct({ raises: list(struct({ key: u53, share: u8, id: u53 })) }),
)

const MEMBERS_A_ROW = 10
const MEMBERS_MAX = 1_000_000
export const DIRECT_MAX = 20

const headsTable = defineTable({
  name: 'channel_heads',
  partition: (channel: number) => idKey(channel),
  value: struct({ size: u32, starts: u32Array }),
})
/** Members from the row's start on, up to the next row's. */
const membersTable = defineTable({
  name: 'channel_members',
  partition: (channel: number, _start: number) => idKey(channel),
  sort: (_channel, start) => u32Key(start),
  value: u32Array,
})
export const mailTable = defineTable({
  name: 'channel_mail',
  partition: (member: number, _id: number) => u32Key(member),
  sort: (_member, id) => idKey(id),
  value: struct({ channel: u53, kind: u32 }),
})
const tiersTable = defineTiersTable('channel', ID_KEYS)
const marksTable = defineMarksTable('channel', ID_KEYS)
/** A member is online if this divides its number. */
const online = struct({ everyNth: u32 })
export const fanoutTables = defineFanoutTables('channel', ID_KEYS, online)

export const channelsView: ViewSpec = { name: 'channels', capacity: 50, keep: 'all' }
/** No reactor holds it. */
export const otherView: ViewSpec = { name: 'others', capacity: 50, keep: 'all' }

const startsOf = (members: Uint32Array) => [
  ...new Set(Array.from(members, (member) => member - (member % MEMBERS_A_ROW))),
]

const onJoined = projection({
  on: joined,
  needs: ({ body: { channel, members } }) => [
    headsTable.key(channel),
    ...startsOf(members).map((start) => membersTable.key(channel, start)),
  ],
  apply({ body: { channel, members }, version }, rows) {
    const headKey = headsTable.key(channel)
    if (rows.versionOf(headKey) >= version) return
    const head = rows.get(headsTable, headKey) ?? { size: 0, starts: new Uint32Array(0) }
    let { size } = head
    for (const start of startsOf(members)) {
      const key = membersTable.key(channel, start)
      const before = rows.get(membersTable, key) ?? new Uint32Array(0)
      const own = members.filter((member) => member >= start && member < start + MEMBERS_A_ROW)
      const after = Uint32Array.from(new Set([...before, ...own])).sort()
      size += after.length - before.length
      rows.put(membersTable, key, version, after)
    }
    const starts = Uint32Array.from(new Set([...head.starts, ...startsOf(members)])).sort()
    rows.put(headsTable, headKey, version, { size, starts })
  },
})

const onTierSet = projection({
  on: tierSet,
  apply({ body: { channel, override, share }, version }, rows) {
    rows.put(tiersTable, tiersTable.key(channel), version, { number: channel, override, share })
  },
})

export const createMembers = (store: Store): Audience => ({
  async partsOf(channels) {
    const rows = await store.get(channels.map((channel) => headsTable.key(channel)))
    return rows.map((row) => {
      if (row === undefined) return []
      const { size, starts } = headsTable.decode(row)
      return [{ bucket: 0, size, members: new Uint32Array(0), starts: Uint32Array.of(0, ...starts.slice(1)) }]
    })
  },
  async membersIn(ranges) {
    const pages = await store.range(
      ranges.map(({ key, from, to }) => ({
        table: membersTable,
        partition: membersTable.key(key, 0).partition,
        from: u32Key(from),
        to: u32Key(Math.min(to, MEMBERS_MAX)),
        limit: 1_000,
      })),
    )
    return pages.map((rows) => Uint32Array.from(rows.flatMap((row) => [...membersTable.decode(row)])))
  },
})

export interface ChannelsOptions {
  /** Where the view is kept beyond a process. */
  readonly views?: Views | undefined
  readonly shared?: SharedOptions | undefined
  readonly onFatal?: ((error: unknown) => void) | undefined
  readonly pace?: Pace
  readonly everyNth?: number
  readonly receipts?: 'kept' | 'while open'
  /** Runs before members are served; when it rejects, they are not. */
  beforeServe?(pieces: readonly Piece[]): Promise<void>
}

interface Api {
  readonly fanout: Fanout<ReturnType<typeof sent.body.read>>
  readonly marks: Marks
  readonly tiers: Tiers
}

export interface Channels extends Api {
  readonly engine: Engine
  readonly fatal: unknown[]
  join(channel: number, members: readonly number[]): Promise<void>
  send(channel: number, kind?: number): Promise<number>
  setTier(channel: number, override: number, share: number): Promise<void>
}

export function createChannels(ports: RivuletPorts, options: ChannelsOptions = {}): Channels {
  const fatal: unknown[] = []
  const spec = channelsDomain(options)
  const whole = wholePorts(ports)
  const engine = createEngine(
    {
      ...whole,
      openView: (view) =>
        view.name === channelsView.name && options.views !== undefined ? options.views : whole.openView(view),
      shared: options.shared,
      onFatal(error) {
        fatal.push(error)
        options.onFatal?.(error)
      },
    },
    [spec],
    NO_HOST,
  )
  return {
    ...engine.use(spec),
    engine,
    fatal,
    async join(channel, members) {
      await engine.produce(joined, channel, { channel, members: Uint32Array.from(members) })
    },
    send: async (channel, kind = 0) => (await engine.produce(sent, channel, { channel, kind })).id,
    async setTier(channel, override, share) {
      await engine.produce(tierSet, channel, { channel, override, share })
    },
  }
}

const channelsDomain = (options: ChannelsOptions): DomainSpec<Api> => ({
  name: 'channels',
  tags: [230, 233],
  events: [joined, sent, tierSet, raised],
  tables: [headsTable, membersTable, mailTable, tiersTable, marksTable, ...Object.values(fanoutTables)],
  views: [channelsView, otherView],
  create({ context }) {
    const { store } = context
    const marks = createMarks(store, marksTable)
    const tiers = createTiers(tiersTable)
    const fanout = createFanout(context, marks, tiers, options)
    return {
      api: { fanout, marks, tiers },
      projections: [onJoined, onTierSet],
      reactors: [fanout.reactor],
      background: [fanout.runner],
      projected(events) {
        for (const event of events) {
          if (isEvent(event, tierSet)) tiers.set(event.key, event.body.override, event.body.share)
          else if (isEvent(event, raised)) marks.learn(event.body.raises)
        }
      },
      start: async () => void (await Promise.all([marks.load(), tiers.load(store)])),
      gained: fanout.runner.resume,
      forget: async () => void (await Promise.all([marks.load(), tiers.load(store)])),
      stop: fanout.runner.stop,
    }
  },
})

function createFanout(context: EngineContext, marks: Marks, tiers: Tiers, options: ChannelsOptions) {
  const { store } = context
  const { everyNth = 3, beforeServe = async () => undefined, pace, receipts = 'kept' } = options
  const view = context.view(channelsView)
  return defineFanout(context, {
    name: 'channel-messages',
    on: sent,
    audience: createMembers(store),
    lanes: lanesBy({
      names: ['online', 'rest'],
      freeze: () => ({ everyNth }),
      laneOf: (members, frozen) =>
        Uint8Array.from(members, (member) => (member % frozen.everyNth === 0 ? 0 : 1)),
    }),
    tables: fanoutTables,
    view: channelsView,
    kindOf: ({ body }) => body.kind,
    pull: { shareOf: (key, size) => tiers.shareOf(key, size, Infinity), marks, raised },
    async serve(pieces) {
      await beforeServe(pieces)
      const mail = pieces.flatMap(({ id, ref, kind, owners }) =>
        Array.from(owners, (member) => mailTable.row(mailTable.key(member, id), id, { channel: ref, kind })),
      )
      if (mail.length > 0) await store.write(mail)
      await view.entries.insert(pieces.map((piece) => ({ ...piece, ref: piece.ref % 1_000 })))
      return mail.length
    },
    receipts,
    directMax: DIRECT_MAX,
    ...(pace === undefined ? {} : { pace }),
  })
}
