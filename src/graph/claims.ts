/**
 * Claims stand before the account that they are for. Should a damaged disk have lost one, replaying the
 * account's events brings it back: names keep their holder, numbers are never given out twice.
 */

import { isEvent } from '../engine/domain.ts'
import type { Event } from '../engine/events.ts'
import type { RowInsert, Store } from '../ports/store/store.ts'
import { accountChanged, accountCreated } from './events.ts'
import { externalIdsTable, handlesTable, numberBlock, numberLeasesTable, numbersTable } from './tables.ts'

export async function renewClaims(store: Store, events: readonly Event[]): Promise<void> {
  const inserts: RowInsert[] = []
  const claimHandle = (handle: string, account: number) =>
    inserts.push({ ...handlesTable.key(handle), value: handlesTable.encode({ account, external: false }) })
  for (const event of events) {
    if (isEvent(event, accountCreated)) {
      const { account, number, handle, externalId } = event.body
      const block = numberBlock(number)
      inserts.push({ ...numberLeasesTable.key(block), value: numberLeasesTable.encode({ block }) })
      if (handle !== undefined) claimHandle(handle, account)
      if (externalId !== undefined) {
        inserts.push({
          ...externalIdsTable.key(externalId),
          value: externalIdsTable.encode({ account, external: true }),
        })
      }
    } else if (isEvent(event, accountChanged) && event.body.handle !== undefined) {
      const [row] = await store.get([numbersTable.key(event.body.number)])
      if (row !== undefined) claimHandle(event.body.handle, numbersTable.decode(row).id)
    }
  }
  if (inserts.length > 0) await store.insertIfAbsent(inserts)
}
