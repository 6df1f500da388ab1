/**
 * Random histories of messages to channels, with crashes and changes of policy. At the end each member who had joined
 * before a message, by the order of the log, has it in the mail or finds a mark above it.
 */

import assert from 'node:assert/strict'
import { isEvent } from '../../../src/engine/domain.ts'
import { eventDecoder } from '../../../src/engine/events.ts'
import { edgeBucket, SHARES } from '../../../src/engine/fanout/policy.ts'
import { progressed } from '../../../src/engine/processes/progress.ts'
import { redelivered } from '../../../src/engine/worker/redelivery.ts'
import type { Log } from '../../../src/ports/log/log.ts'
import { createMemoryViews } from '../../../src/ports/views/memory/memory.ts'
import {
  createChannels,
  joined,
  mailTable,
  raised,
  sent,
  tierSet,
  type Channels,
} from '../../support/channels.ts'
import { createAloneWorld, createSharedWorld, type EngineWorld } from '../../support/engine-worlds.ts'

const CHANNELS = 4
const MEMBERS = 90
const FIRST_CHANNEL = 6_000_000_000_000
const VIEWS_BYTES = 8 * 2 ** 20
const PARTITIONS = 3

interface Message {
  readonly id: number
  readonly channel: number
  readonly members: readonly number[]
}

/** The messages of the log, each with those who were members then. */
async function messagesOf(log: Log): Promise<Message[]> {
  const decode = eventDecoder([joined, sent, tierSet, raised, progressed, redelivered])
  const follower = await log.follow()
  const members = new Map<number, Set<number>>()
  const messages: Message[] = []
  for (const [partition, { start, end }] of (await log.bounds()).entries()) {
    await follower.seek(partition, start)
    for (let at = start; at < end;) {
      const batch = await follower.next(1_000)
      if (batch === undefined) break
      at = batch.next
      for (const [i, value] of batch.values.entries()) {
        const event = decode(value, log.epoch, partition, batch.positions[i])
        const own = members.get(event.key) ?? new Set<number>()
        if (isEvent(event, joined)) members.set(event.key, new Set([...own, ...event.body.members]))
        else if (isEvent(event, sent)) messages.push({ id: event.id, channel: event.key, members: [...own] })
      }
    }
    follower.leave(partition)
  }
  await follower.close()
  return messages
}

async function check(world: EngineWorld<Channels>): Promise<{ large: number; marked: number }> {
  const messages = await messagesOf(world.log())
  const store = world.store()
  const processes = world.all()
  let large = 0
  let marked = 0
  for (const { id, channel, members } of messages) {
    const mail = await store.get(members.map((member) => mailTable.key(member, id)))
    for (const [i, member] of members.entries()) {
      const bucket = edgeBucket(member, channel)
      for (const { marks } of processes) {
        const isMarked = marks.of(channel, bucket) >= id
        if (isMarked) marked++
        assert(mail[i] !== undefined || isMarked, `${member} misses message ${id} of ${channel}`)
      }
    }
    for (const { fanout } of processes) {
      const receipt = await fanout.receipt(id)
      assert(receipt !== undefined && receipt.doneAtMs > 0, `the receipt of message ${id} is not closed`)
      assert.equal(
        receipt.lanes.reduce((sum, count) => sum + count, 0),
        receipt.done,
      )
      assert.equal(receipt.planned, receipt.done + receipt.skipped)
      if (receipt.share === SHARES) assert(receipt.done >= members.length, `a receipt counts too few`)
      if (receipt.fingerprint !== 0) large++
    }
  }
  for (const { engine, fanout } of processes) {
    assert.equal(fanout.runner.openPlans, 0)
    const [view] = engine.views
    const latest = messages.reduce((most, { id }) => Math.max(most, id), 0)
    assert(view.horizon.claimable() >= latest, 'the horizon waits for a message that all members have')
  }
  return { large, marked }
}

async function runHistory(
  world: EngineWorld<Channels>,
  steps: number,
  happened: Record<string, number>,
): Promise<void> {
  const { random, driven } = world
  const pick = (count: number) => Math.floor(random() * count)
  for (let step = 0; step < steps; step++) {
    const asked: Promise<unknown>[] = []
    for (let i = pick(5); i >= 0; i--) {
      const channel = FIRST_CHANNEL + pick(CHANNELS)
      const what = random()
      const process = world.any()
      if (what < 0.3)
        asked.push(process.join(channel, [...new Set(Array.from({ length: 20 }, () => 1 + pick(MEMBERS)))]))
      else if (what < 0.4)
        asked.push(process.setTier(channel, pick(3), pick(2) === 0 ? SHARES : pick(SHARES)))
      else asked.push(process.send(channel))
    }
    const all = Promise.allSettled(asked)
    // In a part of the steps nothing is awaited, so that a process may die with requests and plans under way.
    if (random() < 0.15) await world.restart()
    else if (random() < 0.7) await driven(all)
  }
  for (let round = 0; round < 4; round++) {
    // Events of now, so that the horizon passes the messages in every partition.
    const keys = Array.from({ length: 3 * PARTITIONS }, (_, key) => key)
    await driven(Promise.allSettled(keys.map((key) => world.any().setTier(key, 0, SHARES))))
    await world.settle()
  }
  const { large, marked } = await check(world)
  happened['large'] = (happened['large'] ?? 0) + large
  happened['marked'] = (happened['marked'] ?? 0) + marked
}

/** Rejects when a member misses a message. @returns what has really happened */
export async function runChannelHistories(isShared: boolean, seeds: number): Promise<Record<string, number>> {
  const happened: Record<string, number> = {}
  for (let seed = 1; seed <= seeds; seed++) {
    const create = isShared ? createSharedWorld : createAloneWorld
    const shared = isShared ? createMemoryViews({ bytesMax: VIEWS_BYTES, lanes: PARTITIONS }) : undefined
    const world = await create<Channels>({ seed, happened }, (ports, onFatal, options) =>
      createChannels(ports, { views: shared, shared: options, onFatal }),
    )
    await runHistory(world, isShared ? 40 : 80, happened).catch((error: unknown) => {
      throw new Error(`seed ${seed} of ${isShared ? 'shared' : 'alone'}`, { cause: error })
    })
    await world.close()
  }
  return happened
}
