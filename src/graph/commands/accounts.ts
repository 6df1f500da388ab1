/** Creates and changes accounts. A handle or external id is claimed before the event is appended. */

import { afterAccepted, isRivuletError, notFound, RivuletError } from '../../core/errors.ts'
import type { EngineContext } from '../../engine/context.ts'
import type { Idempotency } from '../../engine/events.ts'
import type { Accounts } from '../accounts.ts'
import { claimName } from '../claims.ts'
import { accountChanged, accountCreated, tokenMinted } from '../events.ts'
import type { GraphReads } from '../read.ts'
import { externalIdsTable, handlesTable, type Account } from '../tables.ts'
import { checkExternalId, checkProfile, type NewAccount, type Profile } from './profile.ts'

export interface AccountCommands {
  createAccount(profile: NewAccount, once?: Idempotency): Promise<Account>
  /** Creates the account of an external id, or changes it. */
  putAccount(
    externalId: string,
    profile: Profile,
    once?: Idempotency,
  ): Promise<{ account: Account; created: boolean }>
  /** Changes the account with this id; fields that are left out stay as they are. */
  changeAccount(id: number, profile: Profile, once?: Idempotency): Promise<Account>
  /**
   * Appends that a token was given out, so that the repeated request finds the id of this event and makes the same
   * token of it. @returns that id
   */
  tokenMinted(number: number, once: Idempotency): Promise<number>
}

export function createAccountCommands(
  context: EngineContext,
  accounts: Accounts,
  reads: GraphReads,
): AccountCommands {
  const { ids, produce } = context
  const claims = createNameClaims(context, accounts)
  const change = createChange(context, accounts, claims)

  async function createAccount(profile: NewAccount, once?: Idempotency): Promise<Account> {
    checkProfile(profile)
    const { handle, externalId, displayName, bio } = profile
    const isNamed = handle !== undefined || externalId !== undefined
    const claimed = isNamed ? await claims.forNew(ids.next(), handle, externalId) : undefined
    const number = await accounts.nextNumber()
    // An account without a name takes the id of its event: a repeated request knows nothing else to find it by.
    const body = (event: number) => ({
      account: claimed ?? event,
      number,
      externalId,
      handle,
      displayName,
      bio,
    })
    const { id } = await produce(accountCreated, number, body, once)
    const created = await afterAccepted(accounts.byId(claimed ?? id))
    if (created?.createdBy !== id) throw externalId === undefined ? taken('handle') : taken('external_id')
    return created
  }

  /** Creates the account, or finds it to be changed if another request created it at the same time. */
  async function createOrMeet(externalId: string, profile: Profile, once: Idempotency | undefined) {
    try {
      return { account: await createAccount({ ...profile, externalId }, once), created: true }
    } catch (error) {
      const met = isRivuletError(error, 'external_id_taken')
        ? await reads.byExternalId(externalId)
        : undefined
      if (met === undefined) throw error
      return met
    }
  }

  async function putAccount(externalId: string, profile: Profile, once?: Idempotency) {
    checkExternalId(externalId)
    const known = (await reads.byExternalId(externalId)) ?? (await createOrMeet(externalId, profile, once))
    if ('created' in known) return known
    return { account: await change(known, profile, once), created: false }
  }

  return {
    createAccount,
    putAccount,
    async changeAccount(id, profile, once) {
      const known = await accounts.byId(id)
      if (known === undefined) throw notFound()
      return change(known, profile, once)
    },
    async tokenMinted(number, once) {
      return (await produce(tokenMinted, number, { number }, once)).id
    },
  }
}

type NameClaims = ReturnType<typeof createNameClaims>

/** @returns changes an account that exists */
const createChange =
  ({ produce }: EngineContext, accounts: Accounts, claims: NameClaims) =>
  async (known: Account, profile: Profile, once: Idempotency | undefined): Promise<Account> => {
    checkProfile(profile)
    const { number } = known
    const { handle, displayName, bio } = profile
    if (handle !== undefined && handle.toLowerCase() !== known.handle?.toLowerCase())
      await claims.handleFor(known.id, handle)
    await produce(accountChanged, number, { number, handle, displayName, bio }, once)
    return (await afterAccepted(accounts.byId(known.id))) ?? known
  }

function createNameClaims({ store }: EngineContext, accounts: Accounts) {
  const isAccount = async (id: number) => (await accounts.byId(id)) !== undefined
  return {
    /**
     * Claims the names of a new account. A claim whose account never came to be, because its creator failed half-way,
     * is taken over together with its id: by the next creator with the same external id or, if the claim was made
     * without one, with the same handle. If two take it over at once, the first event in the log wins.
     *
     * @returns the id of the account to create: `wanted`, or that of the claim
     */
    async forNew(wanted: number, handle: string | undefined, externalId: string | undefined) {
      const external = externalId !== undefined
      let account = wanted
      if (external) {
        account = (await claimName(store, externalIdsTable, externalId, { account, external })).account
        if (await isAccount(account)) throw taken('external_id')
      }
      if (handle === undefined) return account
      const holder = await claimName(store, handlesTable, handle, { account, external })
      if (holder.account === account) return account
      if (external || holder.external || (await isAccount(holder.account))) throw taken('handle')
      return holder.account
    },
    async handleFor(account: number, handle: string): Promise<void> {
      const holder = await claimName(store, handlesTable, handle, { account, external: false })
      if (holder.account !== account) throw taken('handle')
    },
  }
}

export const taken = (field: 'handle' | 'external_id') =>
  new RivuletError(`${field}_taken`, `this ${field} belongs to another account`, {
    errors: [{ path: `/${field}`, message: 'is taken' }],
  })
