/**
 * Cursors of lists: where a page ended, bound to the list, to whose list it is and to who reads it. Every list of every
 * domain has a number of its own, from 1 to 255, which its domain keeps in `lists.ts`. Cursors that clients hold contain
 * it: never give the number of a list to another one.
 */

import { struct, u32, u53, u8 } from '../core/codec.ts'
import { invalidCursor, type CursorSeal } from '../core/cursor.ts'

export interface ListCursor {
  readonly list: number
  readonly reader: number
  /** Whose list it is. */
  readonly subject: number
  readonly position: number
}

const listCursor = struct({ list: u8, reader: u32, subject: u32, position: u53 })

export const sealList = (seal: CursorSeal, cursor: ListCursor): string => seal.seal(listCursor, { ...cursor })

/** @returns the position; throws `invalid_cursor` for a cursor of another list, subject or reader */
export function openList(seal: CursorSeal, expected: Omit<ListCursor, 'position'>, text: string): number {
  const cursor = seal.open(listCursor, text)
  const { list, reader, subject } = expected
  if (cursor.list !== list || cursor.reader !== reader || cursor.subject !== subject) throw invalidCursor()
  return cursor.position
}
