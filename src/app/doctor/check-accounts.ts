/** Checks that accounts, their dense numbers and their external ids point to each other. */

import { parseKey } from '../../core/keys.ts'
import { accountsTable, externalIdsTable, numbersTable } from '../../graph/index.ts'
import { createFaults, type Finding, type Patient } from './check.ts'
import { scanPages } from './pages.ts'

export async function checkAccounts({ ports: { store } }: Patient): Promise<Finding> {
  const faults = createFaults()
  let accounts = 0
  for await (const page of scanPages(store, accountsTable)) {
    const known = page.map((row) => accountsTable.decode(row))
    accounts += known.length
    const numbers = await store.get(known.map(({ number }) => numbersTable.key(number)))
    const named = known.filter(({ externalId }) => externalId !== undefined)
    const claims = await store.get(named.map(({ externalId }) => externalIdsTable.key(externalId ?? '')))
    known.forEach(({ id, number }, i) => {
      const row = numbers[i]
      const other = row === undefined ? undefined : numbersTable.decode(row).id
      faults.expect(
        other === id,
        () => `account ${id} has number ${number}, which belongs to ${other ?? 'no account'}`,
      )
    })
    named.forEach(({ id, externalId }, i) => {
      const row = claims[i]
      const other = row === undefined ? undefined : externalIdsTable.decode(row).account
      const text = () =>
        `account ${id} has the external id ${externalId}, which belongs to ${other ?? 'no account'}`
      faults.expect(other === id, text)
    })
  }
  for await (const page of scanPages(store, numbersTable)) {
    const found = await store.get(page.map((row) => accountsTable.key(numbersTable.decode(row).id)))
    page.forEach((row, i) =>
      faults.expect(found[i] !== undefined, () => `number ${parseKey(row.sort)} belongs to no account`),
    )
  }
  return faults.finding('accounts', `${accounts} accounts`)
}
