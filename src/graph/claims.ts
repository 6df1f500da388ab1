/**
 * Claims: rows that reserve a handle, an external id or a block of account numbers, each inserted by one process only
 * and synced at once. A claim is made before the event that creates its account. Should a damaged disk lose one,
 * replaying the account's events makes it again: names keep their holder, numbers are never given out twice.
 */

import { isEvent } from '../engine/domain.ts'
import type { Event } from '../engine/events.ts'
import type { RowInsert, Store } from '../ports/store/store.ts'
import { accountChanged, accountCreated } from './events.ts'
import { externalIdsTable, handlesTable, numberBlock, numberLeasesTable, numbersTable } from './tables.ts'

export type Claim = ReturnType<typeof handlesTable.decode>

/** Claims a name for an account id. @returns the claim that holds the name now, which may be another account's */
export async function claimName(
  store: Store,
  table: typeof handlesTable,
  name: string,
  claim: Claim,
): Promise<Claim> {
  const [answer] = await store.insertIfAbsent([{ ...table.key(name), value: table.encode(claim) }])
  return answer.inserted ? claim : table.decode({ ...table.key(name), version: 0, value: answer.value })
}

/** Makes the claims of these events again where they are missing. */
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
