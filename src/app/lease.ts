/**
 * One process at a time serves a deployment on engines, as a lock on a data folder has it on a disk. A lease is a
 * row that only one can insert; its holder shows that it lives by a beat. Who finds no new beat for a while, by its
 * own clock, takes the next lease; a holder that finds a next one ends. What it still had under way does no harm:
 * rows it writes late are below those of its successor.
 */

import { bool, struct, text, u53 } from '../core/codec.ts'
import { RivuletError } from '../core/errors.ts'
import { u32Key } from '../core/keys.ts'
import { defineTable } from '../engine/tables.ts'
import type { Env } from '../ports/env/env.ts'
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
}

const NUMBER_MAX = 2 ** 32 - 1
const BEAT_MS = 2_000
/** Without a beat for so long, its holder is taken for gone. */
const STALE_MS = 10_000
const LOOK_MS = 500

export async function takeLease(options: LeaseOptions): Promise<{ close(): Promise<void> }> {
  const { env, store, onNotice } = options
  const holder = Buffer.from(env.randomBytes(9)).toString('base64url')
  for (;;) {
    const newest = await newestLease(store)
    if (newest > 0) await awaitEnd(env, store, newest, onNotice)
    const number = newest + 1
    const value = leasesTable.encode({ number, holder })
    const [{ inserted }] = await store.insertIfAbsent([{ ...leasesTable.key(number), value }])
    if (inserted) return hold(options, number)
  }
}

async function newestLease(store: Store): Promise<number> {
  const { partition } = leasesTable.key(0)
  const [[row]] = await store.range([{ table: leasesTable, partition, from: '', limit: 1 }])
  return row === undefined ? 0 : leasesTable.decode(row).number
}

/** Its holder said that it ends, or has not been heard of for long. */
async function awaitEnd(
  env: Env,
  store: Store,
  number: number,
  onNotice: (text: string) => void,
): Promise<void> {
  let seen = -1
  let seenAtMs = env.monotonicMs()
  for (let looks = 0; ; looks++) {
    const [row] = await store.get([beatsTable.key(number)])
    const { beat, ended } = row === undefined ? { beat: 0, ended: false } : beatsTable.decode(row)
    if (ended) return
    if (beat !== seen) seenAtMs = env.monotonicMs()
    seen = beat
    if (env.monotonicMs() - seenAtMs > STALE_MS) return
    if (looks === 1) onNotice('another process serves this deployment; waiting until it ends')
    await new Promise<void>((resolve) => void env.timer(LOOK_MS, resolve))
  }
}

async function hold(
  { env, store, onLost }: LeaseOptions,
  number: number,
): Promise<{ close(): Promise<void> }> {
  let beat = 0
  let isClosed = false
  let timer: { cancel(): void } | undefined
  const write = (ended: boolean) =>
    store.write([beatsTable.row(beatsTable.key(number), ++beat, { beat, ended })])

  /** While the store is away nobody else can take the lease either. */
  async function goOn(): Promise<void> {
    await write(false).catch(() => undefined)
    const newest = await newestLease(store).catch(() => number)
    if (isClosed) return
    if (newest === number) timer = env.timer(BEAT_MS, () => void goOn())
    else onLost(new RivuletError('data_locked', 'another process has taken over this deployment'))
  }

  await write(false)
  timer = env.timer(BEAT_MS, () => void goOn())
  return {
    async close() {
      isClosed = true
      timer?.cancel()
      await write(true).catch(() => undefined)
    },
  }
}
