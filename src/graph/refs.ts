/** Accounts as callers name them: by id, or by `ext:` and the application's own id. */

import { notFound, RivuletError } from '../core/errors.ts'
import { idAt } from '../http/validation.ts'
import type { Accounts } from './accounts.ts'
import { checkExternalId } from './commands/profile.ts'
import type { GraphReads } from './read.ts'
import type { Account } from './tables.ts'

export const EXTERNAL_PREFIX = 'ext:'
const NO_ACCOUNT = `an account is named by its id, a decimal string, or by ${EXTERNAL_PREFIX} and its external id`

export interface AccountRefs {
  /** `undefined` for nobody; throws for what is no reference at all, naming `path`. */
  find(ref: string, path: string): Promise<Account | undefined>
  /** The account in the address; throws `not_found`. */
  inPath(ref: string, path?: string): Promise<Account>
  /** An account named in a body; throws `not_found` and says where it stands. */
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
      throw new RivuletError('not_found', 'the account that is named does not exist', {
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
