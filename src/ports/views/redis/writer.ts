/**
 * This process as a writer of one group. It numbers its changes, and Redis stores the number of the last one with
 * the group. After a failover Redis may show an older number: it has lost changes that it acknowledged. The writer
 * then sends them again from its history. Where that is not possible, or where changes of another process are lost,
 * too, it gives the group a new generation: all its timelines are lost, and readers notice and rebuild them.
 */

import type { Env } from '../../env/env.ts'
import type { Redis, Reply } from '../../drivers/redis.ts'
import { type Change, createHistory } from './history.ts'
import type { Lanes } from './lanes.ts'
import { LOST, MISMATCH, REPEATED, RESET } from './scripts.ts'

export interface WriterOptions {
  readonly env: Pick<Env, 'randomBytes'>
  readonly redis: Redis
  /** The group's key. */
  readonly name: string
  /** Names this process among the writers. */
  readonly writer: string
  /** Length of the group's value. */
  readonly bytes: number
  /** Gives the horizons of a new generation. */
  readonly lanes: Pick<Lanes, 'wanted'>
  readonly stats: WriterStats
}

export interface WriterStats {
  /** Groups to which lost changes were sent again. */
  replays: number
  /** Groups that got a new generation, so that their timelines were lost. */
  resets: number
}

/** One call at a time. */
export interface Writer {
  /** Recovers the group first if it has lost something. An empty reply means: made, but the answer was lost. */
  make(change: Change): Promise<readonly Reply[]>
  /** Begins a new generation: every timeline of the group is lost. */
  reset(): Promise<void>
}

export function createWriter({ env, redis, name, writer, bytes, lanes, stats }: WriterOptions): Writer {
  const groupBytes = String(bytes)
  const history = createHistory()
  /** Of the last change. */
  let number = 0

  /** Redis knows nothing of a writer before its first change. */
  const textOf = (value: number): string => (value === 0 ? '' : String(value))

  const send = async ({ script, args }: Change, from: number): Promise<readonly Reply[]> =>
    (await redis.run(script, name, [
      writer,
      groupBytes,
      textOf(from),
      textOf(from + 1),
      ...args,
    ])) as readonly Reply[]

  async function reset(): Promise<void> {
    const generation = Buffer.from(env.randomBytes(4))
    number++
    await redis.run(RESET, name, [writer, textOf(number), generation, lanes.wanted()])
    history.clear()
    stats.resets++
  }

  /** Sends every change after `found`, the number that Redis shows, again. */
  async function recover(found: number): Promise<void> {
    const missing = history.above(found)
    const isWhole = found > 0 && missing.length === number - found
    if (!isWhole || missing.some(({ change }) => !change.isRepeatable)) return reset()
    for (const made of missing) {
      const [code] = await send(made.change, made.number - 1)
      if (code === MISMATCH || code === LOST) return reset()
    }
    stats.replays++
  }

  return {
    async make(change) {
      for (;;) {
        const reply = await send(change, number)
        if (reply[0] === MISMATCH) {
          await recover(Number(String(reply[1])))
          continue
        }
        if (reply[0] === LOST) {
          await reset()
          continue
        }
        number++
        history.add(number, change)
        return reply[0] === REPEATED ? [] : reply
      }
    },
    reset,
  }
}
