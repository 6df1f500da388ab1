/**
 * The exclusive lease of a deployment on engines, for a process that must work on it alone: a command, or a server that
 * keeps timelines in its own memory. It is what the lock of a data folder is on a disk.
 *
 * Leases are numbered. Each is a row that only one process can insert, and its holder writes heartbeats. A process that
 * sees no new heartbeat for a while, on its own clock, takes the next lease; a holder that finds a newer lease ends.
 *
 * A holder that was frozen or cut off may not know that it was replaced. So it trusts its last heartbeat for a shorter
 * time than others wait (`beats.ts`). After that its ports refuse every call (`guarded`) until it has taken the next
 * lease itself.
 */

import { bool, struct, text, u53 } from '../../core/codec.ts'
import { isRetriable, RivuletError } from '../../core/errors.ts'
import { u32Key } from '../../core/keys.ts'
import { BEAT_MS_MAX, BEAT_STALE_MS, createBeatWatch, createTrust } from './beats.ts'
import { awaitNobody } from './members.ts'
import { defineTable } from '../rows/tables.ts'
import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { Store } from '../../ports/store/store.ts'

export const leasesTable = defineTable({
  name: 'leases',
  kind: 'once',
  partition: (_number: number) => 'lease',
  // The newest comes first.
  sort: (number: number) => u32Key(NUMBER_MAX - number),
  value: struct({ number: u53, holder: text }),
})

export const beatsTable = defineTable({
  name: 'lease_beats',
  partition: (_number: number) => 'lease',
  sort: (number: number) => u32Key(number),
  value: struct({ beat: u53, ended: bool }),
})

export interface LeaseOptions {
  readonly env: Env
  readonly store: Store
  /** Another process has taken over, or the store rejects heartbeats for good: this process must end. */
  readonly onLost: (error: unknown) => void
  readonly onNotice: (text: string) => void
  /** Whether to wait until the holder ends. Otherwise rejects with `data_locked` once the holder is seen alive. */
  readonly waits: boolean
}

export interface Lease {
  /** Whether this process is sure that nobody else has taken over. */
  isHeld(): boolean
  close(): Promise<void>
}

const NUMBER_MAX = 2 ** 32 - 1
/** The holder's name in a lease that nobody holds, which only ends the lease before it. */
const NOBODY = ''
const BEAT_MS = BEAT_MS_MAX
const LOOK_MS = 500

export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const { env, store } = options
  // Checked before anything is written, so that a process that is refused leaves no lease behind for others to wait for.
  await awaitNobody(options)
  const holder = Buffer.from(env.randomBytes(9)).toString('base64url')
  for (;;) {
    const newest = await newestLease(store)
    if (newest.number > 0) await awaitEnd(options, newest.number)
    const number = newest.number + 1
    if (!(await takeNumber(store, number, holder))) continue
    const lease = await hold(options, { number, holder })
    try {
      await awaitNobody(options)
      return lease
    } catch (error) {
      await lease.close()
      throw error
    }
  }
}

/**
 * Resolves once nobody holds a lease. If the last holder was declared dead, this inserts a newer lease that nobody holds:
 * a holder that was only frozen finds it and ends.
 * @returns the number of leases so far
 */
export async function passLeases(options: Omit<LeaseOptions, 'onLost' | 'waits'>): Promise<number> {
  const { store } = options
  for (;;) {
    const { number: newest } = await newestLease(store)
    if (newest === 0 || (await beatOf(store, newest)).ended) return newest
    await awaitEnd({ ...options, waits: true }, newest)
    if ((await beatOf(store, newest)).ended) continue
    const number = newest + 1
    if (!(await takeNumber(store, number, NOBODY))) continue
    await store.write([beatsTable.row(beatsTable.key(number), 1, { beat: 1, ended: true })])
  }
}

async function beatOf(store: Store, number: number): Promise<{ beat: number; ended: boolean }> {
  const [row] = await store.get([beatsTable.key(number)])
  return row === undefined ? { beat: 0, ended: false } : beatsTable.decode(row)
}

interface Held {
  /** 0 if there has been no lease yet. */
  readonly number: number
  readonly holder: string
}

async function newestLease(store: Store): Promise<Held> {
  const { partition } = leasesTable.key(0)
  const [[row]] = await store.range([{ table: leasesTable, partition, from: '', limit: 1 }])
  return row === undefined ? { number: 0, holder: NOBODY } : leasesTable.decode(row)
}

/** @returns whether `holder` has got the lease of this number: only one process can insert its row */
async function takeNumber(store: Store, number: number, holder: string): Promise<boolean> {
  const value = leasesTable.encode({ number, holder })
  const [{ inserted }] = await store.insertIfAbsent([{ ...leasesTable.key(number), value }])
  return inserted
}

/** Resolves once the holder of the lease has said that it ends, or is declared dead. */
async function awaitEnd(
  { env, store, onNotice, waits }: Omit<LeaseOptions, 'onLost'>,
  number: number,
): Promise<void> {
  const beats = createBeatWatch(env)
  const name = String(number)
  for (let looks = 0; ; looks++) {
    const askedAtMs = env.monotonicMs()
    const { beat, ended } = await beatOf(store, number)
    if (ended) return
    const unchangedMs = beats.saw(name, beat, askedAtMs)
    if (beats.hasBeaten(name) && !waits) throw inUse()
    if (unchangedMs > BEAT_STALE_MS) return
    if (looks === 1) {
      onNotice('another process has this deployment to itself; waiting until it ends')
    }
    await sleep(env, LOOK_MS)
  }
}

async function hold({ env, store, onLost }: LeaseOptions, first: Held): Promise<Lease> {
  const { holder } = first
  const trust = createTrust(env)
  let { number } = first
  let beat = 0
  let isClosed = false
  let timer: { cancel(): void } | undefined
  const write = (ended: boolean) =>
    store.write([beatsTable.row(beatsTable.key(number), ++beat, { beat, ended })])

  /** Writes a heartbeat. @returns whether this process still has the newest lease */
  async function beatOn(): Promise<boolean> {
    await write(false)
    return (await newestLease(store)).number === number
  }

  /**
   * After its trust in itself has ended, a holder needs the next lease: others may be about to take it, and whoever
   * inserts the row first has it.
   * @returns whether this process has the newest lease
   */
  async function renew(): Promise<boolean> {
    const newest = await newestLease(store)
    // An earlier insert may have succeeded although its answer was lost.
    const isOwn = newest.number > number && newest.holder === holder
    if (!isOwn && newest.number !== number) return false
    // A heartbeat first: a holder that cannot write heartbeats must not take lease after lease and keep others waiting.
    await write(false)
    if (!isOwn && !(await takeNumber(store, number + 1, holder))) return false
    number = isOwn ? newest.number : number + 1
    beat = 0
    await write(false)
    return true
  }

  async function goOn(): Promise<void> {
    const beganAtMs = env.monotonicMs()
    const wasSure = trust.isSure()
    try {
      const isOurs = await (wasSure ? beatOn() : renew())
      if (isClosed) return
      if (!isOurs) return lose(takenOver())
      // A heartbeat that took too long may have been written after others had declared this process dead.
      if (!wasSure || trust.isSure()) trust.from(beganAtMs)
    } catch (error) {
      // An unreachable store does not mean that the lease is lost: this process only stops trusting itself in time.
      if (!isRetriable(error)) return lose(error)
    }
    if (!isClosed) timer = env.timer(BEAT_MS, () => void goOn())
  }

  function lose(error: unknown): void {
    trust.end()
    onLost(error)
  }

  const beganAtMs = env.monotonicMs()
  await write(false)
  trust.from(beganAtMs)
  timer = env.timer(BEAT_MS, () => void goOn())
  return {
    isHeld: trust.isSure,
    async close() {
      isClosed = true
      timer?.cancel()
      await write(true).catch(() => undefined)
    },
  }
}

const takenOver = () =>
  new RivuletError(
    'data_locked',
    'another process has taken over this deployment; start this one again when that has ended',
  )
const inUse = () =>
  new RivuletError('data_locked', 'another process has this deployment to itself; stop it first')

/** Members of ports that are never refused, because they concern this process alone. */
const FREE: ReadonlySet<string | symbol> = new Set(['close', 'partitionOf', 'stats'])

/** Wraps a port so that every call rejects with `unavailable` while another process may have taken the lease. */
export function guarded<T extends object>(port: T, lease: Lease): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (FREE.has(name)) return value.bind(target) as unknown
      return (...args: unknown[]) =>
        lease.isHeld() ? (Reflect.apply(value, target, args) as unknown) : Promise.reject(notSure())
    },
  })
}

const notSure = () =>
  new RivuletError('unavailable', 'this process has lost contact with its deployment; retry', {
    retryAfterMs: BEAT_MS,
  })
