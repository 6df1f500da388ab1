/**
 * The processes of a deployment that are alive. Each writes heartbeats to a row of its own, and with them the id up to
 * which everything that it stamped is in the log (or never will be). Nothing new comes below the least of these ids:
 * the horizon is made of that.
 *
 * An observer declares a process gone when it has not seen the heartbeat change for a while, on the observer's clock.
 * A process that was frozen or cut off may not know that yet; so it trusts its last heartbeat for a shorter time than
 * observers wait, and stamps nothing beyond that until it has joined again.
 */

import { bool, struct, text, u53 } from '../../core/codec.ts'
import { assert, isRetriable, RivuletError } from '../../core/errors.ts'
import { ID_MAX } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { Store } from '../../ports/store/store.ts'
import { BEAT_MS_MAX, BEAT_STALE_MS, createBeatWatch, createTrust } from './beats.ts'
import { defineTable } from '../rows/tables.ts'

export const membersTable = defineTable({
  name: 'members',
  partition: (_name: string) => 'members',
  sort: (name: string) => name,
  value: struct({ name: text, role: text, beat: u53, low: u53, ended: bool }),
})

export interface MembersOptions {
  readonly env: Env
  readonly store: Store
  readonly role: string
  /** Up to it, everything that this process has stamped is in the log or never will be. */
  readonly low: () => number
  /** Ids to come must be above: others have told so much already. */
  readonly observe: (id: number) => void
  /** Resolves once nobody works on this deployment alone, with how often somebody did. */
  readonly gate: () => Promise<number>
  /** Somebody did while this process was counted out: what it knows is of another time. */
  readonly onLost: (error: unknown) => void
  readonly onNotice?: (text: string) => void
  readonly beatMs?: number
}

export interface Members {
  /** Resolves when this process counts. */
  join(): Promise<void>
  /** Others still count this process in. */
  isSure(): boolean
  /**
   * The least and the highest of what living processes have told: up to the least, all they stamp is in the log.
   * Rejects when none is seen.
   */
  lows(): Promise<{ readonly low: number; readonly high: number }>
  /** A random name; another one after it was counted out. */
  readonly name: string
  leave(): Promise<void>
  /** Without a word: the others find out. */
  stop(): void
}

type Member = ReturnType<typeof membersTable.decode>

const BEAT_MS = 500
/** Of its beats, how often a process looks whether others can see them. */
const SEEN_EVERY_BEATS = 4
/** Without a new beat for so long, it is told to be gone. */
const GONE_MS = 30_000
const LOOK_MS = 500
assert(BEAT_MS <= BEAT_MS_MAX && BEAT_STALE_MS < GONE_MS, 'who is told to be gone was taken for gone before')
/** By the clocks of all who read it: much longer than they can be apart. */
const FORGOTTEN_AFTER_MS = 2 * 86_400_000
const ENDED_FORGOTTEN_AFTER_MS = 600_000
const MEMBERS_MAX = 10_000

export function createMembers(options: MembersOptions): Members {
  const { env, store, low, onLost, onNotice = () => undefined, beatMs = BEAT_MS } = options
  const watch = createWatch(env, store)
  const trust = createTrust(env)
  const entry = createEntry(options, watch, trust)
  let isClosed = false
  let beats = 0
  let timer: { cancel(): void } | undefined

  async function beat(): Promise<void> {
    const beganAtMs = env.monotonicMs()
    if (!trust.isSure()) return entry.enter()
    await entry.own().write(low())
    // A beat that took longer may have come after this process was counted out.
    if (trust.isSure()) trust.from(beganAtMs)
    if (++beats % SEEN_EVERY_BEATS === 0 && !(await isSeen())) await enterAnew()
  }

  async function goOn(): Promise<void> {
    try {
      await beat()
    } catch (error) {
      // A store that is away says nothing of this process, which only stops trusting its last beat after a while.
      if (!isRetriable(error)) return onLost(error)
    }
    if (!isClosed) timer = env.timer(beatMs, () => void goOn())
  }

  const isSeen = async () => (await watch.living()).some(({ name }) => name === entry.own().name)

  /** A deleted row may hide the beats that are written after it: the process takes another name. */
  async function enterAnew(): Promise<void> {
    trust.lapse()
    onNotice('the row of this process is gone from the table `members`: it enters again, under another name')
    await entry.enter()
  }

  function stop(): void {
    isClosed = true
    timer?.cancel()
  }

  return {
    get name() {
      return entry.own().name
    },
    isSure: trust.isSure,
    async join() {
      await entry.enter()
      timer = env.timer(beatMs, () => void goOn())
    },
    async lows() {
      const lows = (await watch.living()).map((member) => member.low)
      if (lows.length === 0)
        throw new RivuletError('unavailable', 'no process of this deployment is seen alive')
      return { low: Math.min(...lows), high: Math.max(...lows) }
    },
    stop,
    async leave() {
      stop()
      if (trust.isSure())
        await entry
          .own()
          .end()
          .catch(() => undefined)
    },
  }
}

/** How a process comes to count, at first and after it was counted out. */
function createEntry(options: MembersOptions, watch: Watch, trust: Trust) {
  const { env, store, role, low, onLost } = options
  const isAsBefore = createGateCheck(options.gate)
  let own = newOwn(env, store, role)
  let hasJoined = false
  return {
    own: () => own,
    /**
     * Writes its row first, which holds every horizon, and only then looks how far the others are. A process that
     * computed a horizon without this row did so from what this one then sees, or from less.
     */
    async enter(): Promise<void> {
      const before = own
      // A name that others have counted out is not used again.
      if (hasJoined) own = newOwn(env, store, role)
      hasJoined = false
      await own.write(0)
      if (!(await isAsBefore())) return onLost(changedMeanwhile())
      const beganAtMs = env.monotonicMs()
      await own.write(0)
      for (const member of await watch.living()) options.observe(member.low)
      await own.write(low())
      trust.from(beganAtMs)
      hasJoined = true
      if (before !== own) await before.end().catch(() => undefined)
    },
  }
}

/** @returns a function that tells whether nobody has worked on the deployment alone since its first call */
function createGateCheck(gate: MembersOptions['gate']): () => Promise<boolean> {
  let known: number | undefined
  return async () => {
    const aloneCount = await gate()
    known ??= aloneCount
    return known === aloneCount
  }
}

const changedMeanwhile = () =>
  new RivuletError(
    'data_locked',
    'a command has worked on this deployment meanwhile; start this process again',
  )

/**
 * For what nobody else may serve beside. Both sides write first and look then, so at least one sees the other.
 * @throws `data_locked` unless it `waits`
 */
export async function awaitNobody({ env, store, onNotice, waits }: NobodyOptions): Promise<void> {
  const watch = createWatch(env, store)
  // Rows of those that ended without a word are believed until their beats have not changed for long enough.
  for (let looks = 0; ; looks++) {
    const living = await watch.living()
    if (living.length === 0) return
    if (!waits && living.some(({ name }) => watch.hasBeaten(name))) {
      throw new RivuletError('data_locked', 'this deployment is being served; stop every process of it first')
    }
    if (looks === 1 && waits)
      onNotice(
        'other processes serve this deployment, which this one needs alone (--demo, or no RIVULET_REDIS): waiting until they end',
      )
    await sleep(env, LOOK_MS)
  }
}

export interface NobodyOptions {
  readonly env: Env
  readonly store: Store
  readonly onNotice: (text: string) => void
  readonly waits: boolean
}

/** A row of its own, under a random name. */
function newOwn(env: Env, store: Store, role: string) {
  const name = Buffer.from(env.randomBytes(9)).toString('base64url')
  // Above whatever was deleted before, which Cassandra dates in microseconds: it would hide what is written below.
  let beat = Math.floor(env.wallMs()) * 1_000
  let isThere = false
  function put(low: number, ended: boolean): Promise<void> {
    isThere = true
    const value = { name, role, beat: ++beat, low, ended }
    const row = membersTable.row(membersTable.key(name), beat, value)
    const lifeMs = ended ? ENDED_FORGOTTEN_AFTER_MS : FORGOTTEN_AFTER_MS
    return store.write([{ ...row, expiresAtMs: env.wallMs() + lifeMs }])
  }
  return {
    name,
    write: (low: number) => put(low, false),
    end: async () => (isThere ? put(ID_MAX, true) : undefined),
  }
}

type Watch = ReturnType<typeof createWatch>
type Trust = ReturnType<typeof createTrust>

/** Sees which processes are alive. */
function createWatch(env: Env, store: Store) {
  async function bury(gone: readonly Member[]): Promise<void> {
    const expiresAtMs = env.wallMs() + ENDED_FORGOTTEN_AFTER_MS
    const rows = gone.map((member) => {
      const ended = { ...member, beat: member.beat + 1, low: ID_MAX, ended: true }
      return { ...membersTable.row(membersTable.key(member.name), ended.beat, ended), expiresAtMs }
    })
    if (rows.length > 0) await store.write(rows).catch(() => undefined)
  }

  const beats = createBeatWatch(env)
  return {
    async living(): Promise<Member[]> {
      const { partition } = membersTable.key('')
      const range = { table: membersTable, partition, from: '', limit: MEMBERS_MAX }
      const askedAtMs = env.monotonicMs()
      const [rows] = await store.range([range])
      // Who is not seen could still append.
      assert(rows.length < MEMBERS_MAX, `fewer than ${MEMBERS_MAX} processes in two days`)
      const living: Member[] = []
      const gone: Member[] = []
      const members = rows.map((row) => membersTable.decode(row))
      for (const member of members) {
        const unchangedMs = beats.saw(member.name, member.beat, askedAtMs)
        if (!member.ended && unchangedMs < BEAT_STALE_MS) living.push(member)
        if (!member.ended && unchangedMs > GONE_MS) gone.push(member)
      }
      beats.keep(new Set(members.map(({ name }) => name)))
      // A name that was counted out is never used again. Whoever looks for the first time need not wait for it.
      await bury(gone)
      return living
    },
    hasBeaten: beats.hasBeaten,
  }
}
