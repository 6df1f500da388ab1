/**
 * Gives new accounts their dense numbers. A process leases a block of 4,096 numbers at a time by a row that only
 * one process can insert, and then counts through the block in memory, so that no number is given out twice.
 */

import { parseKey } from '../core/keys.ts'
import type { Store } from '../ports/store/store.ts'
import { numberBlock, numberLeasesTable, numbersOfBlock, numbersTable } from './tables.ts'

export interface AccountNumbers {
  /** The next free account number. */
  next(): Promise<number>
}

/**
 * @param isShared other processes give out numbers, too: after a start, this one must not go on in the newest block,
 * because another process may be counting through it
 */
export function createAccountNumbers(store: Store, isShared: boolean): AccountNumbers {
  let lease: { next: number; end: number } | undefined
  let leasing: Promise<void> | undefined

  /** On the first call after a start, goes on in the newest block if this process is alone; else leases a new one. */
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
    async next() {
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
