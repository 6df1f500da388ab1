/**
 * The processes of a deployment that are alive. Each writes heartbeats to a row of its own, and with them the id up to
 * which everything that it stamped is in the log (or never will be). No process appends events at or below the lowest of
 * these ids, so horizons may rise up to it.
 *
 * An observer declares a process dead when it has not seen the heartbeat change for a while, on the observer's clock.
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
  /** Returns an id up to which everything that this process has stamped is in the log, or never will be. */
  readonly low: () => number
  /** Makes sure that this process stamps later ids above `id`, which other processes have told. */
  readonly observe: (id: number) => void
  /** Resolves once no process has the deployment to itself, with the number of times that one has had it so far. */
  readonly gate: () => Promise<number>
  /**
   * This process must end. For example, another one had the deployment to itself while this one was declared dead, so
   * that what this process has in memory may be outdated.
   */
  readonly onLost: (error: unknown) => void
  readonly onNotice?: (text: string) => void
  readonly beatMs?: number
}

export interface Members {
  /** Resolves when all other processes take this one into account. */
  join(): Promise<void>
  /** Whether this process is sure that no other one has declared it dead. */
  isSure(): boolean
  /**
   * The lowest and the highest `low` of the processes that are alive. Up to the lowest, everything that they stamp is in
   * the log. Rejects with `unavailable` when no process is seen alive.
   */
  lows(): Promise<{ readonly low: number; readonly high: number }>
  /** A random name. It changes when the process joins again after it was declared dead. */
  readonly name: string
  /** Ends the heartbeats and tells the others, which then no longer wait for this process. */
  leave(): Promise<void>
  /** Ends the heartbeats without telling the others: they declare this process dead after a while. */
  stop(): void
}

type Member = ReturnType<typeof membersTable.decode>

const BEAT_MS = 500
/** After so many heartbeats a process checks that others can see its row. */
const SEEN_EVERY_BEATS = 4
/** After so long without a new heartbeat, the row of a process is marked as ended. */
const GONE_MS = 30_000
const LOOK_MS = 500
assert(
  BEAT_MS <= BEAT_MS_MAX && BEAT_STALE_MS < GONE_MS,
  'a process is declared dead before its row is marked as ended',
)
/** A row expires so long after its last heartbeat: much longer than the clocks of processes can be apart. */
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
    // A heartbeat that took too long may have been written after this process was declared dead.
    if (trust.isSure()) trust.from(beganAtMs)
    if (++beats % SEEN_EVERY_BEATS === 0 && !(await isSeen())) await enterAnew()
  }

  async function goOn(): Promise<void> {
    try {
      await beat()
    } catch (error) {
      // An unreachable store does not mean that this process is dead: it only stops trusting itself in time.
      if (!isRetriable(error)) return onLost(error)
    }
    if (!isClosed) timer = env.timer(beatMs, () => void goOn())
  }

  const isSeen = async () => (await watch.living()).some(({ name }) => name === entry.own().name)

  /** Joins under another name, because a deleted row may hide heartbeats that are written to it afterwards. */
  async function enterAnew(): Promise<void> {
    trust.lapse()
    onNotice('the row of this process in table `members` has vanished; it joins again under another name')
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
        throw new RivuletError('unavailable', 'no live process of this deployment is seen; retry')
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

/** How a process joins, at its start and after it was declared dead. */
function createEntry(options: MembersOptions, watch: Watch, trust: Trust) {
  const { env, store, role, low, onLost } = options
  const isAsBefore = createGateCheck(options.gate)
  let own = newOwn(env, store, role)
  let hasJoined = false
  return {
    own: () => own,
    /**
     * Writes the row of this process with `low` 0, which stops every horizon, and only then reads the `low` of the others.
     * Whoever computed a horizon before that row was there used values that are no higher than those read here; so ids
     * above these values are above that horizon, too.
     */
    async enter(): Promise<void> {
      const before = own
      // Others have declared the old name dead, and would not count it in again.
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

/** @returns a function that tells whether no process has had the deployment to itself since its first call */
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
    'a command has worked on this deployment while this process was cut off; start this process again',
  )

/**
 * Resolves once no process shares the deployment: for a process that needs it to itself. Both such a process and one that
 * shares write their rows first and read the other's then, so at least one of them sees the other.
 * @throws `data_locked` if another process is alive, unless `waits`
 */
export async function awaitNobody({ env, store, onNotice, waits }: NobodyOptions): Promise<void> {
  const watch = createWatch(env, store)
  // A process that ended without saying so counts as alive until its heartbeat has been the same for long enough.
  for (let looks = 0; ; looks++) {
    const living = await watch.living()
    if (living.length === 0) return
    if (!waits && living.some(({ name }) => watch.hasBeaten(name))) {
      throw new RivuletError('data_locked', 'other processes serve this deployment; stop all of them first')
    }
    if (looks === 1 && waits)
      onNotice(
        'other processes serve this deployment, and this one needs it to itself (because of --demo, or because RIVULET_REDIS is not set); waiting until they end',
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

/** The row of this process, under a random name. */
function newOwn(env: Env, store: Store, role: string) {
  const name = Buffer.from(env.randomBytes(9)).toString('base64url')
  // Cassandra dates deletions in microseconds, and a deletion hides writes with a lower version. So heartbeats, which are
  // the versions, begin at the present time in microseconds.
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

/** Observes which processes are alive. */
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
      // A process that is beyond the limit and not seen could still append below the horizon.
      assert(rows.length < MEMBERS_MAX, `fewer than ${MEMBERS_MAX} processes have started within two days`)
      const living: Member[] = []
      const gone: Member[] = []
      const members = rows.map((row) => membersTable.decode(row))
      for (const member of members) {
        const unchangedMs = beats.saw(member.name, member.beat, askedAtMs)
        if (!member.ended && unchangedMs < BEAT_STALE_MS) living.push(member)
        if (!member.ended && unchangedMs > GONE_MS) gone.push(member)
      }
      beats.keep(new Set(members.map(({ name }) => name)))
      // Marked as ended, so that a new observer need not wait for them. A dead name is never used again.
      await bury(gone)
      return living
    },
    hasBeaten: beats.hasBeaten,
  }
}
