/**
 * Leases of node numbers, which make ids unique across processes. A lease covers a span of ticks, counted in ids and not
 * on any clock: spans of one lease never overlap, so two processes never give out the same id, however wrong their clocks
 * are. A span is a row that only one process can insert; the next span of the same lease begins where it ends.
 */

import { struct, text, u32, u53 } from '../../core/codec.ts'
import { RivuletError } from '../../core/errors.ts'
import { NODE_LEASES, NODES_A_LEASE, TICK_MS, type LeasedIds } from '../../core/ids.ts'
import { u32Key } from '../../core/keys.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Store } from '../../ports/store/store.ts'
import { defineTable } from '../rows/tables.ts'

const SPAN_MAX = 2 ** 32 - 1

export const nodeSpansTable = defineTable({
  name: 'node_spans',
  kind: 'once',
  partition: (lease: number, _span: number) => u32Key(lease),
  // The newest comes first.
  sort: (_lease: number, span: number) => u32Key(SPAN_MAX - span),
  value: struct({ span: u32, fromTick: u53, toTick: u53, holder: text }),
})

export interface NodeLeaseOptions {
  readonly env: Env
  readonly store: Store
  readonly ids: LeasedIds
  readonly holder: string
  readonly onNotice: (text: string) => void
}

const SPAN_TICKS = 600_000 / TICK_MS
/** A lease is renewed when fewer ticks than this are left of its span. */
const MARGIN_TICKS = SPAN_TICKS / 2
const LOOKED_AT_ONCE = 16
const CHECK_EVERY_MS = 500

const allTaken = () =>
  new RivuletError(
    'unavailable',
    `all ${NODE_LEASES - 1} leases of node numbers are taken; those of processes that have stopped end within 15 minutes`,
  )

interface Span {
  readonly lease: number
  readonly span: number
  readonly toTick: number
}

async function newestOf(store: Store, leases: readonly number[]): Promise<Span[]> {
  const ranges = leases.map((lease) => ({
    table: nodeSpansTable,
    partition: nodeSpansTable.key(lease, 0).partition,
    from: '',
    limit: 1,
  }))
  const found = await store.range(ranges)
  return leases.map((lease, i) => {
    const [row] = found[i]
    return row === undefined ? { lease, span: 0, toTick: 0 } : { lease, ...nodeSpansTable.decode(row) }
  })
}

/**
 * Takes a lease for `ids` and renews it until `close`. If the store is away for longer than a span lasts, `ids` has no
 * lease for that time.
 */
export async function holdNodeLease({ env, store, ids, holder, onNotice }: NodeLeaseOptions) {
  let held: Span | undefined
  let isClosed = false
  let timer: { cancel(): void } | undefined
  let isTold = false

  /** Takes the span after this one. @returns false if another process has taken it */
  async function takeAfter({ lease, span, toTick }: Span): Promise<boolean> {
    const fromTick = Math.max(toTick, ids.tick())
    const next = { span: span + 1, fromTick, toTick: fromTick + SPAN_TICKS, holder }
    const row = { ...nodeSpansTable.key(lease, next.span), value: nodeSpansTable.encode(next) }
    const [{ inserted }] = await store.insertIfAbsent([row])
    if (!inserted) return false
    // If the span before was this process's own, it may use the rest of that, too.
    const isOurs = held?.lease === lease && held.span === span
    ids.grant({ node: lease * NODES_A_LEASE, fromTick: isOurs ? 0 : fromTick, toTick: next.toTick })
    held = { lease, span: next.span, toTick: next.toTick }
    return true
  }

  /** Takes any lease whose span has ended, from a random one on. Lease 0 is left out: its node number 0 is for imports. */
  async function takeAny(): Promise<void> {
    const leases = Array.from({ length: NODE_LEASES - 1 }, (_, i) => i + 1)
    const first = Math.floor(env.random() * leases.length)
    const shuffled = [...leases.slice(first), ...leases.slice(0, first)]
    for (let at = 0; at < shuffled.length; at += LOOKED_AT_ONCE) {
      for (const span of await newestOf(store, shuffled.slice(at, at + LOOKED_AT_ONCE))) {
        if (span.toTick <= ids.tick() && (await takeAfter(span))) return
      }
    }
    throw allTaken()
  }

  async function renew(): Promise<void> {
    const tick = ids.tick()
    if (held !== undefined && tick < held.toTick - MARGIN_TICKS) return
    // The next span of the held lease also fits when the tick has jumped far ahead, because it then begins at the tick.
    if (held === undefined || !(await takeAfter(held))) await takeAny()
  }

  function schedule(): void {
    if (isClosed) return
    timer = env.timer(CHECK_EVERY_MS, () => {
      renew()
        .then(() => (isTold = false), tell)
        .finally(schedule)
    })
  }

  /** Tells the operator once. The renewal is tried again soon, and until the span ends there are ids. */
  function tell(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    if (!isTold && !isClosed)
      onNotice(
        `the lease of a node number cannot be renewed (${reason}); it is tried again, and writes are refused if that fails for long`,
      )
    isTold = true
  }

  await takeAny()
  schedule()
  return {
    close() {
      isClosed = true
      timer?.cancel()
    },
  }
}
