/** Finds the accounts of an import by their external ids, and creates those that do not exist. */

import { accountsTable, externalIdsTable, numbersTable } from '../../graph/index.ts'
import { createBulkWriter } from './bulk-writer.ts'
import type { Names } from './names.ts'
import { U32List } from './numbers-list.ts'
import type { ImportRun } from './run.ts'

export interface AccountBook {
  readonly names: Names
  /** Account numbers in the order of `names.list`, as far as `settle` has come. */
  numbers(): Uint32Array
  /** Finds or creates the accounts of all names that were added since the last call. */
  settle(progress?: (done: number, total: number) => void): Promise<void>
  readonly counts: { created: number; known: number }
}

/** Names per batch; the claims of a batch are synced together. */
const BATCH_NAMES = 8_192

export function createAccountBook(run: ImportRun, names: Names): AccountBook {
  const numbers = new U32List()
  const counts = { created: 0, known: 0 }

  async function settleBatch(from: number, to: number): Promise<void> {
    const claims = await claim(run, names.list.slice(from, to))
    const held = claims.filter(({ isNew }) => !isNew)
    const rows = held.length > 0 ? await run.store.get(held.map(({ id }) => accountsTable.key(id))) : []
    const numberOf = new Map(
      rows.flatMap((row, i) =>
        row === undefined ? [] : [[held[i].id, accountsTable.decode(row).number] as const],
      ),
    )
    const writer = createBulkWriter(run.store)
    for (const [i, { id }] of claims.entries()) {
      const known = numberOf.get(id)
      const number = known ?? (await run.nextNumber())
      numbers.push(number)
      counts[known === undefined ? 'created' : 'known']++
      if (known !== undefined) continue
      const externalId = names.list[from + i]
      const displayName = names.displayNames.get(from + i)
      await writer.add(accountRows(run, { id, number, externalId, displayName }))
    }
    await writer.end()
  }

  return {
    names,
    counts,
    numbers: () => numbers.view(),
    async settle(progress) {
      const total = names.list.length
      while (numbers.length < total) {
        await settleBatch(numbers.length, Math.min(total, numbers.length + BATCH_NAMES))
        progress?.(numbers.length, total)
      }
      names.displayNames.clear()
    },
  }
}

/**
 * Claims each external id for an account id, or reads whose it is. If an earlier run ended between the claim and the
 * account's rows, the claimed id is used now.
 */
async function claim({ store, nextId }: ImportRun, externalIds: readonly string[]): Promise<Claim[]> {
  const claims = externalIds.map((externalId) => ({
    ...externalIdsTable.key(externalId),
    value: externalIdsTable.encode({ account: nextId(), external: true }),
  }))
  const answers = await store.insertIfAbsent(claims)
  return answers.map(({ inserted, value }, i) => ({
    id: externalIdsTable.decode({ ...claims[i], version: 0, value }).account,
    isNew: inserted,
  }))
}

interface Claim {
  readonly id: number
  /** The external id was not claimed before. */
  readonly isNew: boolean
}

interface NewAccount {
  readonly id: number
  readonly number: number
  readonly externalId: string
  readonly displayName: string | undefined
}

function accountRows({ id: createdBy, version }: ImportRun, account: NewAccount) {
  const { id, number } = account
  const row = { ...account, createdBy, handle: undefined, bio: undefined }
  return [
    accountsTable.row(accountsTable.key(id), version, row),
    numbersTable.row(numbersTable.key(number), version, { id }),
  ]
}
