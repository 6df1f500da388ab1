/** No table is forgotten: what is not listed would be left behind by `rivulet move`, and not made by `migrate`. */

import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { allTables } from '../../../src/app/ports/tables.ts'

const SRC = path.resolve(import.meta.dirname, '../../../src')

test('every table that a source defines is listed', () => {
  const defined = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('conformance'))
    .flatMap((name) => {
      const text = readFileSync(path.join(SRC, name), 'utf8')
      const named = [...text.matchAll(/(defineTable|defineOrder)\(\{\s*name: '([^']+)'/g)]
      return named.flatMap(([, what, table]) =>
        what === 'defineTable' ? [table] : [`${table}_heads`, `${table}_outcomes`],
      )
    })
  expect(defined.length).toBeGreaterThan(20)
  const listed = new Set(allTables().map(({ name }) => name))
  expect([...new Set(defined)].filter((name) => !listed.has(name))).toEqual([])
})
