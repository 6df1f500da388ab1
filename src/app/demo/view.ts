/** The guest's feed for the start page. It is read through the API, so that every rule of the API applies to it. */

import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import type { PostSchema } from '../../feed/schemas.ts'
import type { Notes } from '../ports/notes.ts'
import { DONE_NOTE } from './done-note.ts'
import { GUEST } from './people.ts'

const FEED_POSTS = 20

export type ShownPost = Static<typeof PostSchema>

export interface DemoView {
  /** `undefined` when the API cannot read the feed now. */
  readonly posts: readonly ShownPost[] | undefined
  readonly token: string
}

export interface DemoParts {
  readonly app: FastifyInstance
  readonly notes: Notes
  readonly serverKey: string
}

/** @returns `undefined` unless the demo world was loaded here: another world may have an account named guest, too */
export async function demoView(parts: DemoParts): Promise<DemoView | undefined> {
  const token = await guestToken(parts)
  if (token === undefined) return undefined
  const answer = await parts.app.inject({
    url: `/api/v1/feed?limit=${FEED_POSTS}`,
    headers: { authorization: `Bearer ${token}` },
  })
  const isThere = answer.statusCode === 200
  return { token, posts: isThere ? answer.json<{ posts: ShownPost[] }>().posts : undefined }
}

/** @returns a token of the guest; `undefined` where the demo world is not loaded */
export async function guestToken({ app, notes, serverKey }: DemoParts): Promise<string | undefined> {
  if ((await notes.read(DONE_NOTE)) === undefined) return undefined
  const answer = await app.inject({
    method: 'POST',
    url: '/api/v1/tokens',
    headers: { authorization: `Bearer ${serverKey}` },
    payload: { account_id: `ext:${GUEST.handle}` },
  })
  return answer.statusCode === 201 ? answer.json<{ token: string }>().token : undefined
}
