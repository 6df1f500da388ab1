/** Accounts by id and by dense number, through a bounded cache; and the numbers that new ones get. */

import { LRUCache } from 'lru-cache'
import { parseKey } from '../core/keys.ts'
import type { Store } from '../ports/store/store.ts'
import {
  accountsTable,
  type handlesTable,
  numberBlock,
  numberLeasesTable,
  numbersOfBlock,
  numbersTable,
  type Account,
} from './tables.ts'

/** As a size, not as a number of entries, for which all memory would be taken at once. */
const BOUND = { maxSize: 200_000, sizeCalculation: () => 1 }

export interface Accounts {
  byId(id: number): Promise<Account | undefined>
  byNumbers(numbers: readonly number[]): Promise<readonly (Account | undefined)[]>
  /** Only what is cached: for hot paths that fall back to `byNumbers`. */
  cached(number: number): Account | undefined
  /** Forgets a cached account: its row changed. */
  drop(number: number): void
  clear(): void
  /** Rises with each change of any account. */
  readonly changes: number
  /** The next free account number. */
  nextNumber(): Promise<number>
}

/** @param isShared other processes give out numbers, too: none goes on in a block that another one has begun */
export function createAccounts(store: Store, isShared: boolean): Accounts {
  const byNumber = new LRUCache<number, Account>(BOUND)
  const numberOfId = new LRUCache<number, number>(BOUND)
  let drops = 0
  let lease: { next: number; end: number } | undefined
  let leasing: Promise<void> | undefined

  async function loadIds(ids: readonly number[]): Promise<(Account | undefined)[]> {
    const dropsBefore = drops
    const rows = await store.get(ids.map((id) => accountsTable.key(id)))
    return rows.map((row) => {
      if (row === undefined) return undefined
      const account = accountsTable.decode(row)
      // After a change in between, this may be the old row: good for this caller, not for later ones.
      if (drops === dropsBefore) {
        byNumber.set(account.number, account)
        numberOfId.set(account.id, account.number)
      }
      return account
    })
  }

  async function loadNumbers(numbers: readonly number[]): Promise<Map<number, Account>> {
    const rows = await store.get(numbers.map((number) => numbersTable.key(number)))
    const found = await loadIds(
      rows.flatMap((row) => (row === undefined ? [] : [numbersTable.decode(row).id])),
    )
    return new Map(found.flatMap((account) => (account === undefined ? [] : [[account.number, account]])))
  }

  /** Takes the last leased block if this is a first call after a start, else the next one. */
  async function renewLease(): Promise<void> {
    const leases = await readLeases(store)
    const last = leases[leases.length - 1]
    if (lease === undefined && last !== undefined && !isShared) {
      const { end } = numbersOfBlock(last)
      lease = { next: await firstFree(store, last), end }
      if (lease.next < end) return
    }
    for (let block = (last ?? -1) + 1; ; block++) {
      const value = numberLeasesTable.encode({ block })
      const [answer] = await store.insertIfAbsent([{ ...numberLeasesTable.key(block), value }])
      const { first, end } = numbersOfBlock(block)
      if (answer.inserted) return void (lease = { next: first, end })
    }
  }

  return {
    async byId(id) {
      const number = numberOfId.get(id)
      const cached = number === undefined ? undefined : byNumber.get(number)
      return cached ?? (await loadIds([id]))[0]
    },
    async byNumbers(numbers) {
      const missing = numbers.filter((number) => byNumber.get(number) === undefined)
      const loaded = missing.length > 0 ? await loadNumbers([...new Set(missing)]) : undefined
      return numbers.map((number) => loaded?.get(number) ?? byNumber.get(number))
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
    async nextNumber() {
      while (lease === undefined || lease.next >= lease.end) {
        leasing ??= renewLease().finally(() => (leasing = undefined))
        await leasing
      }
      return lease.next++
    },
  }
}

async function readLeases(store: Store): Promise<number[]> {
  const leases: number[] = []
  let from = ''
  for (;;) {
    const { partition } = numberLeasesTable.key(0)
    const [page] = await store.range([{ table: numberLeasesTable, partition, from, limit: 1_000 }])
    for (const row of page) leases.push(parseKey(row.sort))
    if (page.length < 1_000) return leases
    from = `${page[page.length - 1].sort}0`
  }
}

async function firstFree(store: Store, block: number): Promise<number> {
  const { first } = numbersOfBlock(block)
  const { partition } = numbersTable.key(first)
  const [rows] = await store.range([{ table: numbersTable, partition, from: '', limit: 10_000 }])
  const last = rows[rows.length - 1]
  return last === undefined || numberBlock(parseKey(last.sort)) !== block ? first : parseKey(last.sort) + 1
}

export type Claim = ReturnType<typeof handlesTable.decode>

/** Claims a name for an account id; gives the claim that holds, which may be another one's. */
export async function claimName(
  store: Store,
  table: typeof handlesTable,
  name: string,
  claim: Claim,
): Promise<Claim> {
  const [answer] = await store.insertIfAbsent([{ ...table.key(name), value: table.encode(claim) }])
  return answer.inserted ? claim : table.decode({ ...table.key(name), version: 0, value: answer.value })
}
