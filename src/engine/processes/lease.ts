/**
 * One process has a deployment on engines to itself, as a lock on a data folder has it on a disk: a command, or a
 * server whose timelines are in its own memory. A lease is a row that only one can insert; its holder shows that it
 * lives by a beat. Who finds no new beat for a while, by its own clock, takes the next lease; a holder that finds a
 * next one ends.
 *
 * A holder that was frozen or cut off may not know yet. It trusts its last beat for less long than others wait
 * (engine/processes/beats.ts); beyond that its ports refuse (`guarded`), until it has taken the next lease itself.
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
  /** Another process has taken over, or the store will not have it: this one must end. */
  readonly onLost: (error: unknown) => void
  readonly onNotice: (text: string) => void
  /** Waits until the holder ends; else `data_locked` as soon as it is seen to live. */
  readonly waits: boolean
}

export interface Lease {
  /** Nobody else can have taken it yet. */
  isHeld(): boolean
  close(): Promise<void>
}

const NUMBER_MAX = 2 ** 32 - 1
/** The holder of a lease that only says that the one before is over. */
const NOBODY = ''
const BEAT_MS = BEAT_MS_MAX
const LOOK_MS = 500

export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const { env, store } = options
  // Who is refused has changed nothing, and leaves no trace that others would have to heed.
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
 * Resolves once nobody holds a lease; who held one and was taken for gone finds a newer one when it comes back.
 * @returns how many there were
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
  /** 0 where there was none yet. */
  readonly number: number
  readonly holder: string
}

async function newestLease(store: Store): Promise<Held> {
  const { partition } = leasesTable.key(0)
  const [[row]] = await store.range([{ table: leasesTable, partition, from: '', limit: 1 }])
  return row === undefined ? { number: 0, holder: NOBODY } : leasesTable.decode(row)
}

/** @returns whether the lease of this number is the holder's; only one can have it */
async function takeNumber(store: Store, number: number, holder: string): Promise<boolean> {
  const value = leasesTable.encode({ number, holder })
  const [{ inserted }] = await store.insertIfAbsent([{ ...leasesTable.key(number), value }])
  return inserted
}

/** Its holder said that it ends, or has not been heard of for long. */
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
    if (looks === 1) onNotice('another process serves this deployment; waiting until it ends')
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

  /** @returns whether nobody else has taken it */
  async function beatOn(): Promise<boolean> {
    await write(false)
    return (await newestLease(store)).number === number
  }

  /** Others may be about to take it: the next one is whose row comes first. */
  async function renew(): Promise<boolean> {
    const newest = await newestLease(store)
    // One that was asked for before, with no answer, may be there.
    const isOwn = newest.number > number && newest.holder === holder
    if (!isOwn && newest.number !== number) return false
    // Who cannot beat must not keep the others waiting by one lease after the other.
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
      // A beat that took longer may have come after others had taken this process for gone.
      if (!wasSure || trust.isSure()) trust.from(beganAtMs)
    } catch (error) {
      // A store that is away says nothing: this process is only no longer sure, after a while.
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

const takenOver = () => new RivuletError('data_locked', 'another process has taken over this deployment')
const inUse = () =>
  new RivuletError('data_locked', 'this deployment is being served by another process; stop it first')

/** They tell or end something of this process alone. */
const FREE: ReadonlySet<string | symbol> = new Set(['close', 'partitionOf', 'stats'])

/** The same port, of which each call rejects while the lease may be another one's. */
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
  new RivuletError('unavailable', 'this process is not sure to serve this deployment', {
    retryAfterMs: BEAT_MS,
  })
