/** The lists of the feed in cursors (http/list-cursors.ts). Those of the graph are in graph/lists.ts. */

import { struct, u32, u53, u8 } from '../core/codec.ts'
import { invalidCursor, type CursorSeal } from '../core/cursor.ts'

export const LISTS = {
  home: 1,
  profile: 2,
  likes: 5,
  reposts: 6,
  repliesLatest: 7,
  repliesOldest: 8,
} as const

/** Where a page of a post's list ended, bound to the list, the post and the reader. */
export interface PostListCursor {
  readonly list: number
  readonly reader: number
  readonly post: number
  readonly position: number
}

const postListCursor = struct({ list: u8, reader: u32, post: u53, position: u53 })

export const sealPostList = (seal: CursorSeal, cursor: PostListCursor): string =>
  seal.seal(postListCursor, { ...cursor })

/** @returns the position; throws `invalid_cursor` for a cursor of another list, post or reader */
export function openPostList(
  seal: CursorSeal,
  { list, reader, post }: Omit<PostListCursor, 'position'>,
  text: string,
): number {
  const cursor = seal.open(postListCursor, text)
  if (cursor.list !== list || cursor.reader !== reader || cursor.post !== post) throw invalidCursor()
  return cursor.position
}
