/** Finds accounts by the references that callers use: an id, or `ext:` and the application's own id. */

import { notFound, RivuletError } from '../core/errors.ts'
import { idAt } from '../http/validation.ts'
import type { Accounts } from './accounts.ts'
import { checkExternalId } from './commands/profile.ts'
import type { GraphReads } from './read.ts'
import type { Account } from './tables.ts'

export const EXTERNAL_PREFIX = 'ext:'
const NO_ACCOUNT = `must be an account id (a decimal string), or ${EXTERNAL_PREFIX} and an external id`

export interface AccountRefs {
  /** `undefined` if there is no such account; throws, naming `path`, for text that is no reference. */
  find(ref: string, path: string): Promise<Account | undefined>
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
  return {
    find,
    async inPath(ref, path = 'params.id') {
      const account = await find(ref, path)
      if (account === undefined) throw notFound()
      return account
    },
    async inBody(ref, path) {
      const account = await find(ref, path)
      if (account !== undefined) return account
      throw new RivuletError('not_found', 'the account that the body names does not exist', {
        errors: [{ path, message: 'no such account' }],
      })
    },
  }
}

export function externalIdIn(ref: string, path: string): string {
  const externalId = ref.slice(EXTERNAL_PREFIX.length)
  checkExternalId(externalId, path)
  return externalId
}
