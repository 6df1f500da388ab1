/** What the feed's cursors carry: where a page ended, and what its reader had been shown by then. */

import { bool, list, struct, u32, u53, u8 } from '../../core/codec.ts'
import { invalidCursor, type CursorSeal } from '../../core/cursor.ts'
import { LIMITS } from '../../core/limits.ts'
import { LISTS } from '../../http/list-cursors.ts'

/** What the first page of a reading session knew: all that `after` needs to tell what came later. */
export interface Session {
  readonly horizon: number
  /** Newest change to the reader's circle, and the import that the past is of: others mean another past. */
  readonly changeId: number
  readonly past: number
  /** Ids above the horizon that were served. */
  readonly served: readonly number[]
  /** More were served above the horizon than a cursor holds. */
  readonly overflow: boolean
}

const homeCursor = struct({
  list: u8,
  reader: u32,
  position: u53,
  horizon: u53,
  changeId: u53,
  past: u32,
  overflow: bool,
  served: list(u53),
})

export interface HomeCursor {
  readonly position: number
  readonly session: Session
}

/** Both cursors of a page: the one that goes on below `position`, and `after`. */
export function sealHome(
  seal: CursorSeal,
  reader: number,
  position: number,
  session: Session,
): { next: string; after: string } {
  const { horizon, changeId, past, overflow, served } = session
  const value = { list: LISTS.home, reader, position, horizon, changeId, past, overflow, served }
  const [next, after] = seal.sealBoth(homeCursor, value)
  return { next, after }
}

export function openHome(seal: CursorSeal, kind: 'next' | 'after', reader: number, text: string): HomeCursor {
  const cursor = seal.open(homeCursor, text, kind === 'next' ? 0 : 1)
  if (cursor.list !== LISTS.home || cursor.reader !== reader) throw invalidCursor()
  const { position, horizon, changeId, past, overflow, served } = cursor
  return { position, session: { horizon, changeId, past, overflow, served } }
}

/** Adds what a page served; above the bound, `after` can only say that there is a gap. */
export function withServed(session: Session, ids: readonly number[]): Session {
  const served = [...session.served, ...ids.filter((id) => id > session.horizon)]
  if (session.overflow || served.length > LIMITS.afterServedMax)
    return { ...session, served: [], overflow: true }
  return { ...session, served }
}
