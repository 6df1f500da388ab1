/**
 * Leases of node numbers, each for a span of ticks of ids, not of anybody's clock: spans of one number never
 * overlap, so ids are unique however wrong clocks are. A span is a row that only one can insert; the next one of
 * the same number begins where it ends.
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
/** Renewed this long before it ends. */
const MARGIN_TICKS = SPAN_TICKS / 2
const LOOKED_AT_ONCE = 16
const CHECK_EVERY_MS = 500

interface Span {
  readonly lease: number
  readonly span: number
  readonly toTick: number
}

/** Holds a lease until it is closed; `ids` has none for a while when the store is away for long. */
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

export async function holdNodeLease({ env, store, ids, holder, onNotice }: NodeLeaseOptions) {
  let held: Span | undefined
  let isClosed = false
  let timer: { cancel(): void } | undefined
  let isTold = false

  /** The span after this one, if nobody else has taken it. */
  async function takeAfter({ lease, span, toTick }: Span): Promise<boolean> {
    const fromTick = Math.max(toTick, ids.tick())
    const next = { span: span + 1, fromTick, toTick: fromTick + SPAN_TICKS, holder }
    const row = { ...nodeSpansTable.key(lease, next.span), value: nodeSpansTable.encode(next) }
    const [{ inserted }] = await store.insertIfAbsent([row])
    if (!inserted) return false
    // What is left of the span before is ours, too, if it was.
    const isOurs = held?.lease === lease && held.span === span
    ids.grant({ node: lease * NODES_A_LEASE, fromTick: isOurs ? 0 : fromTick, toTick: next.toTick })
    held = { lease, span: next.span, toTick: next.toTick }
    return true
  }

  /** Number 0 stamps imports, so the lease that holds it is nobody's. */
  async function takeAny(): Promise<void> {
    const leases = Array.from({ length: NODE_LEASES - 1 }, (_, i) => i + 1)
    const first = Math.floor(env.random() * leases.length)
    const shuffled = [...leases.slice(first), ...leases.slice(0, first)]
    for (let at = 0; at < shuffled.length; at += LOOKED_AT_ONCE) {
      for (const span of await newestOf(store, shuffled.slice(at, at + LOOKED_AT_ONCE))) {
        if (span.toTick <= ids.tick() && (await takeAfter(span))) return
      }
    }
    throw new RivuletError('unavailable', `all ${NODE_LEASES - 1} leases of node numbers are taken`)
  }

  async function renew(): Promise<void> {
    const tick = ids.tick()
    if (held !== undefined && tick < held.toTick - MARGIN_TICKS) return
    // Far behind what others have stamped (a clock that jumped), the span after ours is as good as any.
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

  /** It is tried again soon: until then there are ids to the end of the span. */
  function tell(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    if (!isTold && !isClosed) onNotice(`the lease to give out ids cannot be renewed: ${reason}`)
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
