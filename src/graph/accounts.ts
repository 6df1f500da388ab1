/** Accounts by id and by dense number, through a bounded cache. */

import { LRUCache } from 'lru-cache'
import type { Store } from '../ports/store/store.ts'
import { createAccountNumbers } from './account-numbers.ts'
import { accountsTable, numbersTable, type Account } from './tables.ts'

/** Bounded by size and not by `max`, for which the cache would allocate all its memory at once. */
const BOUND = { maxSize: 200_000, sizeCalculation: () => 1 }

export interface Accounts {
  byId(id: number): Promise<Account | undefined>
  byIds(ids: readonly number[]): Promise<readonly (Account | undefined)[]>
  byNumbers(numbers: readonly number[]): Promise<readonly (Account | undefined)[]>
  /** From the cache alone: for hot paths, which fall back to `byNumbers`. */
  cached(number: number): Account | undefined
  /** Removes an account from the cache, because its row changed. */
  drop(number: number): void
  clear(): void
  /** Rises with each change of any account. */
  readonly changes: number
  /** The next free account number. */
  nextNumber(): Promise<number>
}

/** @param isShared other processes create accounts, too */
export function createAccounts(store: Store, isShared: boolean): Accounts {
  const byNumber = new LRUCache<number, Account>(BOUND)
  const numberOfId = new LRUCache<number, number>(BOUND)
  const numbers = createAccountNumbers(store, isShared)
  let drops = 0

  async function loadIds(ids: readonly number[]): Promise<(Account | undefined)[]> {
    const dropsBefore = drops
    const rows = await store.get(ids.map((id) => accountsTable.key(id)))
    return rows.map((row) => {
      if (row === undefined) return undefined
      const account = accountsTable.decode(row)
      // If an account changed while the rows were read, this may be the old row: right for this caller, who asked
      // before the change, and wrong for later ones, so it is not cached.
      if (drops === dropsBefore) {
        byNumber.set(account.number, account)
        numberOfId.set(account.id, account.number)
      }
      return account
    })
  }

  async function loadNumbers(wanted: readonly number[]): Promise<Map<number, Account>> {
    const rows = await store.get(wanted.map((number) => numbersTable.key(number)))
    const found = await loadIds(
      rows.flatMap((row) => (row === undefined ? [] : [numbersTable.decode(row).id])),
    )
    return new Map(found.flatMap((account) => (account === undefined ? [] : [[account.number, account]])))
  }

  return {
    async byId(id) {
      const number = numberOfId.get(id)
      const cached = number === undefined ? undefined : byNumber.get(number)
      return cached ?? (await loadIds([id]))[0]
    },
    async byIds(wanted) {
      const found = wanted.map((id) => {
        const number = numberOfId.get(id)
        return number === undefined ? undefined : byNumber.get(number)
      })
      const missing = [...new Set(wanted.filter((_, i) => found[i] === undefined))]
      if (missing.length === 0) return found
      const loaded = new Map((await loadIds(missing)).map((account, i) => [missing[i], account]))
      return found.map((account, i) => account ?? loaded.get(wanted[i]))
    },
    async byNumbers(wanted) {
      const missing = wanted.filter((number) => byNumber.get(number) === undefined)
      const loaded = missing.length > 0 ? await loadNumbers([...new Set(missing)]) : undefined
      return wanted.map((number) => loaded?.get(number) ?? byNumber.get(number))
    },
    cached: (number) => byNumber.get(number),
    get changes() {
      return drops
    },
    drop(number) {
      drops++
      byNumber.delete(number)
    },
    clear() {
      drops++
      byNumber.clear()
    },
    nextNumber: numbers.next,
  }
}
