/** Accounts, tokens, and how accounts stand to each other, over HTTP. */

import { afterAccepted } from '../core/errors.ts'
import Type from 'typebox'
import { idTimeMs } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { invalid } from '../core/text.ts'
import type { Env } from '../ports/env/env.ts'
import { created, ok, type Answer, type Router } from '../http/route.ts'
import { AccountRef, Cursor, ExternalRef, Limit } from '../http/schemas.ts'
import type { Tokens } from '../http/tokens.ts'
import { taken, type Relationship } from './commands.ts'
import type { Graph } from './index.ts'
import { EXTERNAL_PREFIX, externalIdIn, type AccountRefs } from './refs.ts'
import { edgeRoutes } from './routes-edges.ts'
import { NewAccountBody, ProfileBody, TokenBody, accountBody, authorBody, isoTime } from './render.ts'
import type { Account } from './tables.ts'

/** Cursors of lists of accounts: bound to who reads and to whose list it is. */
export interface ListSeals {
  seal(list: AccountList, reader: number, subject: number, position: number): string
  /** Throws `invalid_cursor`. */
  open(list: AccountList, reader: number, subject: number, cursor: string): number
}
export type AccountList = 'followers' | 'following'

export interface GraphRouteParts {
  readonly router: Router
  readonly env: Env
  readonly graph: Graph
  readonly refs: AccountRefs
  readonly tokens: Tokens
  readonly lists: ListSeals
  /** The feed's part of an account. */
  readonly postsCount: (number: number) => Promise<number>
}

const id = AccountRef('The account')

export function graphRoutes(parts: GraphRouteParts): void {
  accountRoutes(parts)
  tokenRoute(parts)
  for (const list of ['followers', 'following'] as const) listRoute(parts, list)
  edgeRoutes(parts)
}

function accountRoutes({ router, graph, refs, postsCount }: GraphRouteParts): void {
  const { commands, reads } = graph

  async function render(account: Account, viewer?: Relationship) {
    const { number } = account
    const [followers, following, posts] = await Promise.all([
      reads.followersCount(number),
      reads.followingCount(number),
      postsCount(number),
    ])
    return accountBody(account, { followers, following, posts }, viewer)
  }

  router.write({
    method: 'POST',
    path: '/accounts',
    name: 'createAccount',
    summary: 'Create an account',
    tag: 'accounts',
    access: 'server',
    body: NewAccountBody,
    answers: { 201: 'Account' },
    problems: ['handle_taken', 'external_id_taken'],
    async run({ body }, once) {
      const account = await commands.createAccount(newAccountOf(body), once)
      return created(await afterAccepted(render(account)))
    },
    async replay({ body }, eventId) {
      const account = await reads.createdBy(eventId, newAccountOf(body))
      if (account === undefined) throw taken(body.external_id === undefined ? 'handle' : 'external_id')
      return created(await render(account))
    },
  })

  router.write({
    method: 'PUT',
    path: '/accounts/:id',
    name: 'putAccount',
    summary: 'Create the account of an external id, or change it',
    description:
      'The address takes `ext:` and the external id, nothing else. Fields left out stay as they are.',
    tag: 'accounts',
    access: 'server',
    params: { id: ExternalRef('`ext:` and the external id.') },
    body: ProfileBody,
    answers: { 200: 'Account', 201: 'Account' },
    problems: ['handle_taken', 'external_id_taken'],
    async run({ params, body }, once) {
      const profile = newAccountOf(body)
      const { account, created: isNew } = await commands.putAccount(externalIdOf(params.id), profile, once)
      return { status: isNew ? 201 : 200, body: await afterAccepted(render(account)) }
    },
    async replay({ params }, eventId) {
      const account = await refs.inPath(params.id)
      return { status: account.createdBy === eventId ? 201 : 200, body: await render(account) }
    },
  })

  router.read({
    method: 'GET',
    path: '/accounts/:id',
    name: 'getAccount',
    summary: 'An account with its counts, and how you stand to it',
    tag: 'accounts',
    access: 'authenticated',
    params: { id },
    answers: { 200: 'Account' },
    problems: ['invalid_id', 'not_found'],
    async answer({ caller, params }) {
      const account = await refs.inPath(params.id)
      const viewer = caller.account && (await commands.relationship(caller.account.number, account.number))
      return ok(await render(account, viewer))
    },
  })
}

const newAccountOf = (body: {
  handle?: string
  external_id?: string
  display_name?: string
  bio?: string
}) => ({
  handle: body.handle,
  externalId: body.external_id,
  displayName: body.display_name,
  bio: body.bio,
})

function externalIdOf(ref: string): string {
  if (ref.startsWith(EXTERNAL_PREFIX)) return externalIdIn(ref, 'params.id')
  throw invalid('params.id', 'must be `ext:` and an external id')
}

/** A token is made of a name and a time; with a key, both come from an event, so a repeat finds them again. */
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

function listRoute({ router, graph, refs, lists }: GraphRouteParts, list: AccountList): void {
  router.read({
    method: 'GET',
    path: `/accounts/:id/${list}`,
    name: list === 'followers' ? 'getFollowers' : 'getFollowing',
    summary: list === 'followers' ? 'Who follows an account' : 'Whom an account follows',
    description:
      'In the order of account numbers, which are not shown: always the same one, not that of the follows.',
    tag: 'accounts',
    access: 'authenticated',
    params: { id },
    query: Type.Object(
      { cursor: Cursor('`next_cursor` of the page before.'), limit: Limit },
      { additionalProperties: false },
    ),
    answers: { 200: 'AccountPage' },
    problems: ['invalid_id', 'invalid_cursor', 'not_found'],
    async answer({ caller, params, query }) {
      const { number: subject } = await refs.inPath(params.id)
      const reader = caller.account?.number ?? 0
      const after = query.cursor === undefined ? 0 : lists.open(list, reader, subject, query.cursor)
      const { numbers, hasMore } = await graph.reads[list](subject, after, query.limit ?? LIMITS.pageDefault)
      const accounts = await graph.accounts.byNumbers(numbers)
      return ok({
        accounts: accounts.flatMap((account) => (account === undefined ? [] : [authorBody(account)])),
        next_cursor: hasMore ? lists.seal(list, reader, subject, numbers[numbers.length - 1]) : null,
        has_more: hasMore,
      })
    },
  })
}
