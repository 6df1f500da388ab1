/**
 * One group of timelines and this process's changes of it, one at a time, numbered. Redis may lose the newest of
 * what it acknowledged: the number that it then shows is an older one. The changes since are made again, from a
 * bounded history; where that cannot be, the group gets a new generation: its timelines are lost, and noticed. So it
 * does when what is missing was another process' change.
 *
 * A Redis that does not answer for long holds nobody up: the group counts as lost, inserts find no timeline, and
 * the first thing that it hears again is the new generation.
 */

import { isRetriable, RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { sleep } from '../../env/sleep.ts'
import type { Redis, RedisScript, Reply } from '../../drivers/redis.ts'
import type { Lanes } from './lanes.ts'
import { ADVANCE, LOST, MISMATCH, REPEATED, RESET } from './scripts.ts'

type Arg = string | Buffer

export interface Change {
  readonly script: RedisScript
  readonly args: readonly Arg[]
  /** Made again late, it does no harm: not so a change that makes a timeline empty. */
  readonly isRepeatable: boolean
}

export interface GroupOptions {
  readonly env: Env
  readonly redis: Redis
  readonly name: string
  /** Names this process among the writers. */
  readonly writer: string
  readonly onNotice: (text: string) => void
  /** Of its key. */
  readonly bytes: number
  /** What a new generation begins with. */
  readonly lanes: Pick<Lanes, 'wanted' | 'all'>
  readonly stats: GroupStats
}

export interface GroupStats {
  /** Groups that lost changes and had them made again. */
  replays: number
  /** Groups whose timelines were given up. */
  resets: number
  /** Groups that are given up until Redis answers again. */
  lost: number
}

export interface Group {
  /** Nothing while the group is lost. An empty reply for a change that was made although its answer was lost. */
  change(change: Change): Promise<readonly Reply[] | undefined>
  /** Its timelines are lost: after the changes that were asked for before, and before any other. */
  giveUp(): Promise<void>
  stop(): void
}

/** Longer than a failover takes. */
const GIVE_UP_MS = 12_000
const RETRY_MS = 100
const PROBE_MS = 500
const HISTORY_CHANGES_MAX = 64
const HISTORY_BYTES_MAX = 64 * 1_024
const WAITING_CHANGES_MAX = 4_096

interface Made {
  readonly number: number
  readonly change: Change
  readonly bytes: number
}

export function createGroup(options: GroupOptions): Group {
  const { env, redis, name, writer, lanes, stats, onNotice } = options
  const groupBytes = String(options.bytes)
  let number = 0
  let history: Made[] = []
  let historyBytes = 0
  let tail: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let isLost = false
  let isStopped = false
  let probe: { cancel(): void } | undefined

  /** A writer's first change finds no number. */
  const textOf = (value: number): string => (value === 0 ? '' : String(value))
  const jittered = (ms: number) => ms * (0.5 + env.random())

  const send = async ({ script, args }: Change, from: number): Promise<readonly Reply[]> =>
    (await redis.run(script, name, [
      writer,
      groupBytes,
      textOf(from),
      textOf(from + 1),
      ...args,
    ])) as readonly Reply[]

  function remember(change: Change): void {
    const bytes = change.args.reduce((sum, arg) => sum + arg.length, 0)
    history.push({ number, change, bytes })
    historyBytes += bytes
    while (history.length > HISTORY_CHANGES_MAX || historyBytes > HISTORY_BYTES_MAX) {
      historyBytes -= history.shift()?.bytes ?? 0
    }
  }

  async function reset(): Promise<void> {
    const generation = Buffer.from(env.randomBytes(4))
    number++
    await redis.run(RESET, name, [writer, textOf(number), generation, lanes.wanted()])
    history = []
    historyBytes = 0
    stats.resets++
  }

  /** Brings the group from `found`, the last of our changes that it knows, to where we are. */
  async function recover(found: number): Promise<void> {
    const missing = history.filter((made) => made.number > found)
    const isWhole = found > 0 && missing.length === number - found
    if (!isWhole || missing.some(({ change }) => !change.isRepeatable)) return reset()
    for (const made of missing) {
      const [code] = await send(made.change, made.number - 1)
      if (code === MISMATCH || code === LOST) return reset()
    }
    stats.replays++
  }

  async function attempt(change: Change): Promise<readonly Reply[]> {
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
      remember(change)
      return reply[0] === REPEATED ? [] : reply
    }
  }

  async function persist(change: Change): Promise<readonly Reply[] | undefined> {
    const untilMs = env.monotonicMs() + GIVE_UP_MS
    while (!isLost) {
      if (isStopped) throw new RivuletError('shutting_down', 'the views are closed')
      try {
        return await attempt(change)
      } catch (error) {
        // A Redis without memory is as good as none: reads go on without it.
        if (!isRetriable(error)) throw error
        if (error.code === 'overloaded' || env.monotonicMs() > untilMs) goOnWithout(error)
        else await sleep(env, jittered(RETRY_MS))
      }
    }
    return undefined
  }

  function goOnWithout(error: unknown): void {
    if (isLost) return
    isLost = true
    stats.lost++
    if (stats.lost === 1) onNotice(`fan-out goes on without some timelines: ${detailOf(error)}`)
    schedule()
  }

  function schedule(): void {
    probe = env.timer(jittered(PROBE_MS), () => {
      if (isStopped) return
      reset().then(goOnWith, schedule)
    })
  }

  function goOnWith(): void {
    isLost = false
    stats.lost--
    if (stats.lost === 0) onNotice('Redis has all groups of timelines again')
    // The others may have been told more while the new generation was on its way.
    change({ script: ADVANCE, args: [lanes.all()], isRepeatable: true }).catch(() => undefined)
  }

  function change(change: Change): Promise<readonly Reply[] | undefined> {
    if (isLost) return Promise.resolve(undefined)
    if (waiting >= WAITING_CHANGES_MAX) {
      const error = new RivuletError('overloaded', 'too many changes of timelines wait for Redis')
      return Promise.reject(error)
    }
    waiting++
    const done = tail.then(() => persist(change)).finally(() => waiting--)
    tail = done.catch(() => undefined)
    return done
  }

  async function resetNow(): Promise<void> {
    if (!isLost && !isStopped) await reset().catch(goOnWithout)
  }

  return {
    change,
    giveUp() {
      const done = tail.then(resetNow)
      tail = done
      return done
    },
    stop() {
      isStopped = true
      probe?.cancel()
    },
  }
}

const detailOf = (error: unknown): string => {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}
