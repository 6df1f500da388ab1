/** Finds accounts by the references that callers use: an id, or `ext:` and the application's own id. */

import { isRivuletError, notFound, RivuletError } from '../core/errors.ts'
import { idAt } from '../http/validation.ts'
import type { Accounts } from './accounts.ts'
import { checkExternalId } from './commands/profile.ts'
import type { GraphReads } from './read.ts'
import type { Account } from './tables.ts'

export const EXTERNAL_PREFIX = 'ext:'
const NO_ACCOUNT = `must be an account id (a decimal string), or ${EXTERNAL_PREFIX} and an external id`

export interface PlacedRef {
  readonly ref: string
  readonly path: string
}

export interface AccountRefs {
  /** `undefined` if there is no such account; throws, naming `path`, for text that is no reference. */
  find(ref: string, path: string): Promise<Account | undefined>
  /** For many accounts in bodies, each with the path of its place; gives errors instead of throwing them. */
  all(refs: readonly PlacedRef[]): Promise<readonly (Account | RivuletError)[]>
  /** For an account in the address; throws `not_found`. */
  inPath(ref: string, path?: string): Promise<Account>
  /** For an account in a body; throws `not_found`, which names `path`. */
  inBody(ref: string, path: string): Promise<Account>
}

export function createAccountRefs({
  accounts,
  reads,
}: {
  accounts: Accounts
  reads: GraphReads
}): AccountRefs {
  async function find(ref: string, path: string): Promise<Account | undefined> {
    if (!ref.startsWith(EXTERNAL_PREFIX)) return accounts.byId(idAt(ref, path, NO_ACCOUNT))
    return reads.byExternalId(externalIdIn(ref, path))
  }
  /** Reads all external ids together, and all ids. */
  async function all(places: readonly PlacedRef[]): Promise<(Account | RivuletError)[]> {
    const found = new Array<Account | RivuletError | undefined>(places.length)
    const [ids, externals]: [Named<number>[], Named<string>[]] = [[], []]
    places.forEach(({ ref, path }, at) => {
      try {
        if (ref.startsWith(EXTERNAL_PREFIX)) externals.push({ at, name: externalIdIn(ref, path) })
        else ids.push({ at, name: idAt(ref, path, NO_ACCOUNT) })
      } catch (error) {
        if (!isRivuletError(error)) throw error
        found[at] = error
      }
    })
    const [byId, byName] = await Promise.all([
      accounts.byIds(ids.map(({ name }) => name)),
      reads.byExternalIds(externals.map(({ name }) => name)),
    ])
    ids.forEach(({ at }, i) => (found[at] = byId[i]))
    externals.forEach(({ at }, i) => (found[at] = byName[i]))
    return found.map((account, at) => account ?? noAccount(places[at].path))
  }
  return {
    find,
    all,
    async inPath(ref, path = 'params.id') {
      const account = await find(ref, path)
      if (account === undefined) throw notFound()
      return account
    },
    async inBody(ref, path) {
      const account = await find(ref, path)
      if (account !== undefined) return account
      throw noAccount(path)
    },
  }
}

interface Named<N> {
  readonly at: number
  readonly name: N
}

const noAccount = (path: string): RivuletError =>
  new RivuletError('not_found', 'the account that the body names does not exist', {
    errors: [{ path, message: 'no such account' }],
  })

export function externalIdIn(ref: string, path: string): string {
  const externalId = ref.slice(EXTERNAL_PREFIX.length)
  checkExternalId(externalId, path)
  return externalId
}
