/** The graph over HTTP: accounts, tokens, lists of followers and followees, and (in `routes-edges.ts`) relationships. */

import type { Static } from 'typebox'
import type { CursorSeal } from '../core/cursor.ts'
import { idTimeMs } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { Env } from '../ports/env/env.ts'
import { openList, sealList } from '../http/list-cursors.ts'
import { created, ok, type Answer } from '../http/route.ts'
import type { Tokens } from '../http/tokens.ts'
import { LISTS } from './lists.ts'
import { accountRoutes, type AccountRouteParts } from './routes-accounts.ts'
import { edgeRoutes, followsRoute } from './routes-edges.ts'
import { AccountListQuery, TokenBody, authorBody, isoTime } from './render.ts'
import { AccountRef } from './schemas.ts'

type ListQuery = Static<typeof AccountListQuery>

export interface GraphRouteParts extends AccountRouteParts {
  readonly env: Env
  readonly tokens: Tokens
  /** Seals the cursors of account lists. */
  readonly listSeal: CursorSeal
}

export function graphRoutes(parts: GraphRouteParts): void {
  accountRoutes(parts)
  tokenRoute(parts)
  for (const list of ['followers', 'following'] as const) listRoute(parts, list)
  for (const list of ['blocks', 'mutes'] as const) ownListRoute(parts, list)
  edgeRoutes(parts)
  followsRoute(parts)
}

/**
 * A token is derived from a name and a time. For a request with an idempotency key both come from an event, so that
 * repeating the request makes the same token again.
 */
function tokenRoute({ router, env, graph, refs, tokens }: GraphRouteParts): void {
  async function answer(accountId: number, name: string, atMs: number): Promise<Answer> {
    const { token, expiresAtMs } = await tokens.mint(accountId, name, atMs)
    return created({ token, expires_at: isoTime(expiresAtMs) })
  }
  router.write({
    method: 'POST',
    path: '/tokens',
    name: 'createToken',
    summary: 'Mint a bearer token for an account',
    tag: 'accounts',
    access: 'server',
    body: TokenBody,
    answers: { 201: 'Token' },
    problems: ['invalid_id', 'not_found'],
    async run({ body }, once) {
      const account = await refs.inBody(body.account_id, '/account_id')
      if (once === undefined) {
        const name = Buffer.from(env.randomBytes(12)).toString('base64url')
        return answer(account.id, name, env.wallMs())
      }
      const eventId = await graph.commands.tokenMinted(account.number, once)
      return answer(account.id, String(eventId), idTimeMs(eventId))
    },
    async replay({ body }, eventId) {
      const account = await refs.inBody(body.account_id, '/account_id')
      return answer(account.id, String(eventId), idTimeMs(eventId))
    },
  })
}

function listRoute(
  { router, graph, refs, listSeal }: GraphRouteParts,
  list: 'followers' | 'following',
): void {
  const pages = accountPages(graph, listSeal, list)
  router.read({
    method: 'GET',
    path: `/accounts/:id/${list}`,
    name: list === 'followers' ? 'getFollowers' : 'getFollowing',
    summary: list === 'followers' ? 'Who follows an account' : 'Whom an account follows',
    description:
      'In a fixed order (that of internal account numbers), which is not the order in which they followed.',
    tag: 'accounts',
    access: 'authenticated',
    params: { id: AccountRef('The account') },
    query: AccountListQuery,
    answers: { 200: 'AccountPage' },
    problems: ['invalid_id', 'invalid_cursor', 'not_found'],
    async answer({ caller, params, query }) {
      const { number: subject } = await refs.inPath(params.id)
      return ok(await pages(caller.account?.number ?? 0, subject, query))
    },
  })
}

/** A list that only its owner reads. */
function ownListRoute({ router, graph, listSeal }: GraphRouteParts, list: 'blocks' | 'mutes'): void {
  const pages = accountPages(graph, listSeal, list)
  router.read({
    method: 'GET',
    path: `/me/${list}`,
    name: list === 'blocks' ? 'getBlocks' : 'getMutes',
    summary: list === 'blocks' ? 'Whom the caller blocks' : 'Whom the caller mutes',
    description:
      'In a fixed order (that of internal account numbers), which is not the order in which they were added. ' +
      'Nobody else can read the list.',
    tag: 'relationships',
    access: 'account',
    query: AccountListQuery,
    answers: { 200: 'AccountPage' },
    problems: ['invalid_cursor'],
    async answer({ caller, query }) {
      const reader = caller.account?.number ?? 0
      return ok(await pages(reader, reader, query))
    },
  })
}

/** @returns reads a page of a list of accounts, whose cursors are bound to the list, its owner and its reader */
function accountPages(
  { accounts, reads }: GraphRouteParts['graph'],
  seal: CursorSeal,
  list: keyof typeof LISTS,
) {
  return async (reader: number, subject: number, { cursor, limit = LIMITS.pageDefault }: ListQuery) => {
    const bound = { list: LISTS[list], reader, subject }
    const after = cursor === undefined ? 0 : openList(seal, bound, cursor)
    const { numbers, hasMore } = await reads[list](subject, after, limit)
    const found = await accounts.byNumbers(numbers)
    const position = numbers[numbers.length - 1]
    return {
      accounts: found.flatMap((account) => (account === undefined ? [] : [authorBody(account)])),
      next_cursor: hasMore ? sealList(seal, { ...bound, position }) : null,
      has_more: hasMore,
    }
  }
}
