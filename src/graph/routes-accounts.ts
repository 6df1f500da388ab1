/** Accounts over HTTP: create, change, read, and what an account asks of and changes about itself. */

import { afterAccepted, notFound } from '../core/errors.ts'
import { isHandle } from '../core/names.ts'
import { invalid } from '../core/text.ts'
import type { Caller } from '../http/auth.ts'
import { created, ok, type Router } from '../http/route.ts'
import { taken } from './commands/accounts.ts'
import type { Relationship } from './commands/relationship.ts'
import type { Graph } from './index.ts'
import { EXTERNAL_PREFIX, externalIdIn, type AccountRefs } from './refs.ts'
import { NewAccountBody, ProfileBody, ProfileChange, accountBody } from './render.ts'
import { AccountRef, ExternalRef, HandleRef } from './schemas.ts'
import type { Account } from './tables.ts'

export interface AccountRouteParts {
  readonly router: Router
  readonly graph: Graph
  readonly refs: AccountRefs
  /** How many posts of an account everybody may see: the feed knows. */
  readonly postsCount: (number: number) => Promise<number>
}

interface Parts extends AccountRouteParts {
  readonly render: (account: Account, viewer?: Relationship) => Promise<ReturnType<typeof accountBody>>
}

export function accountRoutes(parts: AccountRouteParts): void {
  const { reads } = parts.graph

  async function render(account: Account, viewer?: Relationship) {
    const { number } = account
    const [followers, following, posts] = await Promise.all([
      reads.followersCount(number),
      reads.followingCount(number),
      parts.postsCount(number),
    ])
    return accountBody(account, { followers, following, posts }, viewer)
  }

  createRoute({ ...parts, render })
  putRoute({ ...parts, render })
  getRoute({ ...parts, render })
  byHandleRoute({ ...parts, render })
  ownRoutes({ ...parts, render })
}

function createRoute({ router, graph: { commands, reads }, render }: Parts): void {
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
}

function putRoute({ router, graph: { commands }, refs, render }: Parts): void {
  router.write({
    method: 'PUT',
    path: '/accounts/:id',
    name: 'putAccount',
    summary: 'Create the account of an external id, or change it',
    description:
      'The address takes only `ext:` and the external id, no account id. Fields that are left out stay as they are.',
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
}

function getRoute({ router, graph: { commands }, refs, render }: Parts): void {
  router.read({
    method: 'GET',
    path: '/accounts/:id',
    name: 'getAccount',
    summary: 'An account with its counts, and how the caller stands to it',
    tag: 'accounts',
    access: 'authenticated',
    params: { id: AccountRef('The account') },
    answers: { 200: 'Account' },
    problems: ['invalid_id', 'not_found'],
    async answer({ caller, params }) {
      const account = await refs.inPath(params.id)
      const viewer = caller.account && (await commands.relationship(caller.account.number, account.number))
      return ok(await render(account, viewer))
    },
  })
}

function byHandleRoute({ router, graph: { commands, reads }, render }: Parts): void {
  router.read({
    method: 'GET',
    path: '/accounts/by-handle/:handle',
    name: 'getAccountByHandle',
    summary: 'The account that has a handle',
    description: 'Regardless of case. A handle that its account gave up names nobody.',
    tag: 'accounts',
    access: 'authenticated',
    params: { handle: HandleRef },
    answers: { 200: 'Account' },
    problems: ['not_found'],
    async answer({ caller, params: { handle } }) {
      if (!isHandle(handle)) throw invalid('params.handle', 'is not the form of a handle')
      const account = await reads.byHandle(handle)
      if (account === undefined) throw notFound()
      const viewer = caller.account && (await commands.relationship(caller.account.number, account.number))
      return ok(await render(account, viewer))
    },
  })
}

function ownRoutes({ router, graph: { accounts, commands }, render }: Parts): void {
  /** As anybody sees the account: how it stands to itself says nothing. */
  async function own({ account: actor }: Caller) {
    const account = actor && (await accounts.byId(actor.id))
    if (account === undefined) throw notFound()
    return ok(await render(account))
  }
  router.read({
    method: 'GET',
    path: '/me',
    name: 'getMe',
    summary: "The caller's own account with its counts",
    tag: 'accounts',
    access: 'account',
    answers: { 200: 'Account' },
    answer: ({ caller }) => own(caller),
  })
  router.write({
    method: 'PATCH',
    path: '/me',
    name: 'patchMe',
    summary: "Change the caller's own account",
    description: 'Fields that are left out stay as they are.',
    tag: 'accounts',
    access: 'account',
    body: ProfileChange,
    answers: { 200: 'Account' },
    problems: ['handle_taken'],
    async run({ caller, body }, once) {
      const account = await commands.changeAccount(caller.account?.id ?? 0, newAccountOf(body), once)
      return ok(await afterAccepted(render(account)))
    },
    replay: ({ caller }) => own(caller),
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
