/** Follow, block and mute over HTTP: PUT switches the state on, DELETE off; both answer with the relationship. */

import { RivuletError, type ErrorCode } from '../core/errors.ts'
import type { Idempotency } from '../engine/events.ts'
import { ok, type BatchWrite, type Router } from '../http/route.ts'
import type { Relationship } from './commands/relationship.ts'
import type { Graph } from './index.ts'
import type { AccountRefs } from './refs.ts'
import { BatchFollow, BatchFollowsBody, relationshipBody } from './render.ts'
import { AccountRef } from './schemas.ts'

export interface EdgeRouteParts {
  readonly router: Router
  readonly graph: Graph
  readonly refs: AccountRefs
}

export function edgeRoutes({ router, graph, refs }: EdgeRouteParts): void {
  const { commands } = graph
  const verbs = {
    follow: {
      summary: ['Follow an account', 'Stop following an account'],
      set: (on: boolean) => (on ? commands.follow : commands.unfollow),
      problems: ['follow_self', 'follow_refused', 'follow_limit'],
    },
    block: {
      summary: ['Block an account', 'Stop blocking an account'],
      set: (on: boolean) => (by, of, once) => commands.block(by, of, on, once),
      problems: ['block_self'],
    },
    mute: {
      summary: ['Mute an account', 'Stop muting an account'],
      set: (on: boolean) => (by, of, once) => commands.mute(by, of, on, once),
      problems: ['mute_self'],
    },
  } satisfies Record<string, EdgeVerb>

  for (const [verb, { summary, set, problems }] of Object.entries<EdgeVerb>(verbs)) {
    for (const on of [true, false]) {
      const change = set(on)
      router.write({
        method: on ? 'PUT' : 'DELETE',
        path: `/accounts/:id/${verb}`,
        name: on ? verb : `un${verb}`,
        summary: summary[on ? 0 : 1],
        description: 'Repeating it changes nothing and answers the same.',
        tag: 'relationships',
        access: 'account',
        params: { id: AccountRef('The account') },
        answers: { 200: 'Relationship' },
        problems: ['invalid_id', 'not_found', ...problems],
        async run({ caller, params }, once) {
          const other = await refs.inPath(params.id)
          return ok(relationshipBody(await change(caller.account?.number ?? 0, other.number, once)))
        },
        async replay({ caller, params }) {
          const other = await refs.inPath(params.id)
          return ok(relationshipBody(await commands.relationship(caller.account?.number ?? 0, other.number)))
        },
      })
    }
  }
}

/** Follows for many accounts, as the application knows them. */
export function followsRoute({ router, graph: { commands }, refs }: EdgeRouteParts): void {
  router.batch({
    path: '/batch/follows',
    name: 'batchFollows',
    summary: 'Follow for many accounts',
    description: 'An item does what `PUT /accounts/{followee}/follow` does on behalf of the follower.',
    tag: 'batches',
    item: BatchFollow,
    body: BatchFollowsBody,
    answer: 'BatchFollows',
    async prepare(items) {
      const found = await refs.all(
        items.flatMap(({ follower, followee }) => [
          { ref: follower, path: '/follower' },
          { ref: followee, path: '/followee' },
        ]),
      )
      return items.map(({ followee: id, idempotency_key: key }, at): BatchWrite | RivuletError => {
        const [follower, followee] = [found[2 * at], found[2 * at + 1]]
        if (follower instanceof RivuletError) return follower
        if (followee instanceof RivuletError) return followee
        const [by, of] = [follower.number, followee.number]
        return {
          ...{ scope: by, key, method: 'PUT', path: '/accounts/:id/follow', params: { id } },
          run: async (once) => ok(relationshipBody(await commands.follow(by, of, once))),
          replay: async () => ok(relationshipBody(await commands.relationship(by, of))),
        }
      })
    },
  })
}

interface EdgeVerb {
  readonly summary: readonly [on: string, off: string]
  set(on: boolean): (by: number, of: number, once?: Idempotency) => Promise<Relationship>
  readonly problems: readonly ErrorCode[]
}
