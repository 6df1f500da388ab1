/** Accounts over HTTP: create, change, read, and what an account asks of and changes about itself. */

import { afterAccepted, notFound, type RivuletError } from '../core/errors.ts'
import { isHandle } from '../core/names.ts'
import { invalid } from '../core/text.ts'
import type { Idempotency } from '../engine/events.ts'
import type { Caller } from '../http/auth.ts'
import { created, ok, type Answer, type BatchWrite, type Router } from '../http/route.ts'
import { taken } from './commands/accounts.ts'
import { externalIdFault, type NewAccount } from './commands/profile.ts'
import type { Relationship } from './commands/relationship.ts'
import type { Graph } from './index.ts'
import { EXTERNAL_PREFIX, externalIdIn, type AccountRefs } from './refs.ts'
import {
  BatchAccount,
  BatchAccountsBody,
  NewAccountBody,
  ProfileBody,
  ProfileChange,
  accountBody,
} from './render.ts'
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
  readonly writes: AccountWrites
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

  const all = { ...parts, render, writes: createAccountWrites(parts, render) }
  createRoute(all)
  putRoute(all)
  getRoute(all)
  byHandleRoute(all)
  ownRoutes(all)
  batchRoute(all)
}

type AccountWrites = ReturnType<typeof createAccountWrites>

/** As the account was created. Its counts are not read, which would take longer than the rest of the request. */
const newBody = (account: Account) =>
  accountBody(account, { followers: 0, following: 0, posts: 0 }, undefined)

/** Creating and changing accounts, by single requests and by items of a batch. */
function createAccountWrites(
  { graph: { commands, reads }, refs }: AccountRouteParts,
  render: Parts['render'],
) {
  return {
    async create(profile: NewAccount, once: Idempotency | undefined): Promise<Answer> {
      return created(newBody(await commands.createAccount(profile, once)))
    },
    /** The answer to a `create` that became this event. */
    async created(profile: NewAccount, eventId: number): Promise<Answer> {
      const account = await reads.createdBy(eventId, profile)
      if (account === undefined) throw taken(profile.externalId === undefined ? 'handle' : 'external_id')
      return created(await render(account))
    },
    async put(externalId: string, profile: NewAccount, once: Idempotency | undefined): Promise<Answer> {
      const { account, created: isNew } = await commands.putAccount(externalId, profile, once)
      return isNew ? created(newBody(account)) : ok(await afterAccepted(render(account)))
    },
    /** The answer to a `put` that became this event. */
    async done(ref: string, eventId: number): Promise<Answer> {
      const account = await refs.inPath(ref)
      return { status: account.createdBy === eventId ? 201 : 200, body: await render(account) }
    },
  }
}

function createRoute({ router, writes }: Parts): void {
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
    run: ({ body }, once) => writes.create(newAccountOf(body), once),
    replay: ({ body }, eventId) => writes.created(newAccountOf(body), eventId),
  })
}

function putRoute({ router, writes }: Parts): void {
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
    run: ({ params, body }, once) => writes.put(externalIdOf(params.id), newAccountOf(body), once),
    replay: ({ params }, eventId) => writes.done(params.id, eventId),
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

function batchRoute({ router, writes }: Parts): void {
  router.batch({
    path: '/batch/accounts',
    name: 'batchAccounts',
    summary: 'Create or change many accounts',
    description:
      'An item with `external_id` does what `PUT /accounts/ext:…` does, any other what `POST /accounts` does.',
    tag: 'batches',
    item: BatchAccount,
    body: BatchAccountsBody,
    answer: 'BatchAccounts',
    prepare: async (items) =>
      items.map(({ idempotency_key: key, ...item }): BatchWrite | RivuletError => {
        const { external_id: externalId, ...body } = item
        const profile = newAccountOf(body)
        if (externalId === undefined)
          return {
            ...{ scope: 0, key, method: 'POST', path: '/accounts', body },
            run: (once) => writes.create(profile, once),
            replay: (eventId) => writes.created(profile, eventId),
          }
        const fault = externalIdFault(externalId)
        if (fault !== undefined) return invalid('/external_id', fault)
        const ref = EXTERNAL_PREFIX + externalId
        return {
          ...{ scope: 0, key, method: 'PUT', path: '/accounts/:id', params: { id: ref }, body },
          turn: externalId,
          run: (once) => writes.put(externalId, profile, once),
          replay: (eventId) => writes.done(ref, eventId),
        }
      }),
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
