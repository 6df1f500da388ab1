/** Reads of the graph: pages of followers and followees, exact counts, accounts by name. */

import type { Store } from '../ports/store/store.ts'
import type { Accounts } from './accounts.ts'
import type { Circles } from './circle.ts'
import { followersPage, pageOf, type NumberPage } from './read/pages.ts'
import {
  externalIdsTable,
  followerTotalsTable,
  handlesTable,
  type Account,
  type FollowerTotals,
} from './tables.ts'

export type { NumberPage }

export interface GraphReads {
  byExternalId(externalId: string): Promise<Account | undefined>
  /** Many at once, in two round trips at most. */
  byExternalIds(externalIds: readonly string[]): Promise<readonly (Account | undefined)[]>
  /** The account that has this handle now, regardless of case. */
  byHandle(handle: string): Promise<Account | undefined>
  /** The account that an event created, found by what its request named; `undefined` if another one holds the name. */
  createdBy(
    event: number,
    names: { externalId?: string | undefined; handle?: string | undefined },
  ): Promise<Account | undefined>
  followersCount(number: number): Promise<number>
  followingCount(number: number): Promise<number>
  /** In the order of account numbers, above `after`. */
  followers(number: number, after: number, limit: number): Promise<NumberPage>
  following(number: number, after: number, limit: number): Promise<NumberPage>
  /** Whom the account blocks, and whom it mutes; in the same order. */
  blocks(number: number, after: number, limit: number): Promise<NumberPage>
  mutes(number: number, after: number, limit: number): Promise<NumberPage>
}

export function createGraphReads(store: Store, accounts: Accounts, circles: Circles): GraphReads {
  async function byName(table: typeof handlesTable, name: string): Promise<Account | undefined> {
    const [row] = await store.get([table.key(name)])
    return row === undefined ? undefined : accounts.byId(table.decode(row).account)
  }

  async function totalsOf(followee: number): Promise<FollowerTotals | undefined> {
    const [row] = await store.get([followerTotalsTable.key(followee)])
    return row === undefined ? undefined : followerTotalsTable.decode(row)
  }

  return {
    async byExternalId(externalId) {
      const account = await byName(externalIdsTable, externalId)
      // A claim whose creator failed may hold an id that an account with another name took over.
      return account?.externalId === externalId ? account : undefined
    },
    async byExternalIds(externalIds) {
      const rows = await store.get(externalIds.map((externalId) => externalIdsTable.key(externalId)))
      const ids = rows.map((row) => (row === undefined ? 0 : externalIdsTable.decode(row).account))
      const found = await accounts.byIds(ids)
      return found.map((account, i) => (account?.externalId === externalIds[i] ? account : undefined))
    },
    async byHandle(handle) {
      const account = await byName(handlesTable, handle)
      // A handle stays reserved for the account that gave it up, and no longer names it.
      return account?.handle?.toLowerCase() === handle.toLowerCase() ? account : undefined
    },
    async createdBy(event, { externalId, handle }) {
      const account =
        externalId !== undefined
          ? await byName(externalIdsTable, externalId)
          : await (handle === undefined ? accounts.byId(event) : byName(handlesTable, handle))
      return account?.createdBy === event ? account : undefined
    },
    async followersCount(number) {
      const totals = await totalsOf(number)
      return totals === undefined ? 0 : totals.counts.reduce((sum, count) => sum + count, 0)
    },
    async followingCount(number) {
      return (await circles.of(number)).following.length
    },
    followers: (number, after, limit) => followersPage(store, number, after, limit),
    async following(number, after, limit) {
      return pageOf((await circles.of(number)).following, after, limit)
    },
    async blocks(number, after, limit) {
      return pageOf((await circles.of(number)).blocking, after, limit)
    },
    async mutes(number, after, limit) {
      return pageOf((await circles.of(number)).muted, after, limit)
    },
  }
}
