/** A thread as JSON bytes, made from the bytes of its posts. */

import { notFound } from '../../core/errors.ts'
import type { Circle } from '../../graph/index.ts'
import { stitch } from '../../http/bytes.ts'
import type { Item } from '../posts/items.ts'
import type { ListPage } from '../profile.ts'
import type { Renderer } from '../render.ts'
import type { Ancestors } from './ancestors.ts'

export interface Thread {
  readonly item: Item
  readonly ancestors: Ancestors
  readonly replies: ListPage
}

export async function threadBody(
  renderer: Renderer,
  viewer: Circle | undefined,
  { item, ancestors: { path, isTruncated }, replies }: Thread,
): Promise<Buffer> {
  const above = path.flatMap((ancestor) => ancestor.item ?? [])
  // All posts of the thread at once: their authors and the viewer's likes are read in one batch.
  const [post, ...others] = await renderer.pieces([item, ...above, ...replies.items], viewer)
  if (post.length === 0) throw notFound()
  const bodies = new Map(above.map(({ id }, i) => [id, others[i]]))
  const ancestors = path.map(({ id }) => bodies.get(id) ?? [Buffer.from(`{"id":"${id}","unavailable":true}`)])
  const below = others.slice(above.length).filter(({ length }) => length > 0)
  const { nextCursor } = replies
  return stitch([
    Buffer.from('{"ancestors":['),
    ...separated(ancestors),
    Buffer.from(`]${isTruncated ? ',"truncated":true' : ''},"post":`),
    ...post,
    Buffer.from(',"replies":['),
    ...separated(below),
    Buffer.from(`],"next_cursor":${nextCursor === undefined ? 'null' : `"${nextCursor}"`}}`),
  ])
}

const COMMA = Buffer.from(',')

const separated = (bodies: readonly (readonly Buffer[])[]): Buffer[] =>
  bodies.flatMap((body, i) => (i === 0 ? body : [COMMA, ...body]))
