/**
 * One process has a deployment on engines to itself, as a lock on a data folder has it on a disk: a command, or a
 * server whose timelines are in its own memory. A lease is a row that only one can insert; its holder shows that it
 * lives by a beat. Who finds no new beat for a while, by its own clock, takes the next lease; a holder that finds a
 * next one ends.
 *
 * A holder that was frozen or cut off may not know yet. It counts as holder only for a while after its last look,
 * shorter than others wait; beyond that its ports refuse (`guarded`), until it has looked again.
 */

import { bool, struct, text, u53 } from '../core/codec.ts'
import { RivuletError } from '../core/errors.ts'
import { u32Key } from '../core/keys.ts'
import { awaitNobody } from '../engine/members.ts'
import { defineTable } from '../engine/tables.ts'
import type { Env } from '../ports/env/env.ts'
import { sleep } from '../ports/env/sleep.ts'
import type { Store } from '../ports/store/store.ts'

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
  /** Another process has taken over: this one must end. */
  readonly onLost: (error: RivuletError) => void
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
const BEAT_MS = 2_000
/** Without a beat for so long, its holder is taken for gone. */
const STALE_MS = 10_000
/** A holder trusts its last look for so long. */
const SURE_MS = 7_000
const LOOK_MS = 500

export async function takeLease(options: LeaseOptions): Promise<Lease> {
  const { env, store } = options
  // Who is refused has changed nothing, and leaves no trace that others would have to heed.
  await awaitNobody(options)
  const holder = Buffer.from(env.randomBytes(9)).toString('base64url')
  for (;;) {
    const newest = await newestLease(store)
    if (newest > 0) await awaitEnd(options, newest)
    const number = newest + 1
    const value = leasesTable.encode({ number, holder })
    const [{ inserted }] = await store.insertIfAbsent([{ ...leasesTable.key(number), value }])
    if (!inserted) continue
    const lease = await hold(options, number)
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
    const newest = await newestLease(store)
    if (newest === 0 || (await beatOf(store, newest)).ended) return newest
    await awaitEnd({ ...options, waits: true }, newest)
    if ((await beatOf(store, newest)).ended) continue
    const number = newest + 1
    const value = leasesTable.encode({ number, holder: NOBODY })
    const [{ inserted }] = await store.insertIfAbsent([{ ...leasesTable.key(number), value }])
    if (!inserted) continue
    await store.write([beatsTable.row(beatsTable.key(number), 1, { beat: 1, ended: true })])
  }
}

async function beatOf(store: Store, number: number): Promise<{ beat: number; ended: boolean }> {
  const [row] = await store.get([beatsTable.key(number)])
  return row === undefined ? { beat: 0, ended: false } : beatsTable.decode(row)
}

async function newestLease(store: Store): Promise<number> {
  const { partition } = leasesTable.key(0)
  const [[row]] = await store.range([{ table: leasesTable, partition, from: '', limit: 1 }])
  return row === undefined ? 0 : leasesTable.decode(row).number
}

/** Its holder said that it ends, or has not been heard of for long. */
async function awaitEnd(
  { env, store, onNotice, waits }: Omit<LeaseOptions, 'onLost'>,
  number: number,
): Promise<void> {
  let seen = -1
  let seenAtMs = env.monotonicMs()
  for (let looks = 0; ; looks++) {
    const { beat, ended } = await beatOf(store, number)
    if (ended) return
    if (beat !== seen && seen >= 0 && !waits) throw inUse()
    if (beat !== seen) seenAtMs = env.monotonicMs()
    seen = beat
    if (env.monotonicMs() - seenAtMs > STALE_MS) return
    if (looks === 1) onNotice('another process serves this deployment; waiting until it ends')
    await sleep(env, LOOK_MS)
  }
}

async function hold({ env, store, onLost }: LeaseOptions, number: number): Promise<Lease> {
  let beat = 0
  let isClosed = false
  let timer: { cancel(): void } | undefined
  /** When the last look began that found no other. */
  let sureAtMs = env.monotonicMs()
  const write = (ended: boolean) =>
    store.write([beatsTable.row(beatsTable.key(number), ++beat, { beat, ended })])

  async function goOn(): Promise<void> {
    const beganAtMs = env.monotonicMs()
    await write(false).catch(() => undefined)
    const newest = await newestLease(store).catch(() => undefined)
    if (isClosed) return
    if (newest !== undefined && newest !== number) return onLost(takenOver())
    // A store that is away says nothing: then it is only no longer sure.
    if (newest === number) sureAtMs = beganAtMs
    timer = env.timer(BEAT_MS, () => void goOn())
  }

  await write(false)
  timer = env.timer(BEAT_MS, () => void goOn())
  return {
    isHeld: () => env.monotonicMs() - sureAtMs < SURE_MS,
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

/** What changes and asks nothing, and is not answered by a promise. */
const FREE: ReadonlySet<string | symbol> = new Set(['close', 'partitionOf', 'stats'])

/** The same port, of which each call rejects while the lease may be another one's. */
export function guarded<T extends object>(port: T, lease: Lease): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function' || FREE.has(name)) return value
      return (...args: unknown[]) =>
        lease.isHeld() ? (Reflect.apply(value, target, args) as unknown) : Promise.reject(notSure())
    },
  })
}

const notSure = () =>
  new RivuletError('unavailable', 'this process is not sure to serve this deployment', {
    retryAfterMs: BEAT_MS,
  })
