/** Cursors of the home feed. Each carries where a page ended, and the reading session that it belongs to. */

import { bool, list, struct, u32, u53, u8 } from '../../core/codec.ts'
import { invalidCursor, type CursorSeal } from '../../core/cursor.ts'
import { LIMITS } from '../../core/limits.ts'
import { LISTS } from '../lists.ts'

/** What the first page of a reading session knew: all that `after` needs to tell what came since. */
export interface Session {
  readonly horizon: number
  /** Id of the newest change to the reader's circle. */
  readonly changeId: number
  /** How many imports there were. */
  readonly past: number
  /** Ids above the horizon that its pages served. */
  readonly served: readonly number[]
  /** More ids were served above the horizon than a cursor can hold: `after` must answer `gap`. */
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

/** Makes both cursors of a page: `next`, which goes on below `position`, and `after`. */
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

/** Adds the ids that a page served. */
export function withServed(session: Session, ids: readonly number[]): Session {
  const served = [...session.served, ...ids.filter((id) => id > session.horizon)]
  if (session.overflow || served.length > LIMITS.afterServedMax)
    return { ...session, served: [], overflow: true }
  return { ...session, served }
}
