/** The typed table of operations agrees with the routes. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { OPERATIONS, type OperationName } from '../../../src/app/library/operations.ts'
import { createWorld, type World } from '../../http/world.ts'

let world: World
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.close())

const named = Object.entries(OPERATIONS) as [
  OperationName,
  { body?: object; query?: object; answer: object },
][]

/** Marks that only code reads do not reach the document. */
const asJson = (schema: unknown): unknown => JSON.parse(JSON.stringify(schema))

test('every route is an operation, and every operation a route', () => {
  expect(named.map(([name]) => name).sort()).toEqual([...world.api.operations.routes.keys()].sort())
})

test.each(named)('%s takes and gives what its route does', (name, { body, query, answer }) => {
  const route = world.api.operations.routes.get(name)
  expect(route?.body).toBe(body)
  const fieldsOf = (schema: object | undefined) =>
    Object.keys((schema as { properties?: object })?.properties ?? {})
  expect(fieldsOf(query)).toEqual(fieldsOf(route?.query))
  for (const shape of Object.values(route?.answers ?? {})) {
    expect(asJson(world.api.app.getSchema(shape as string))).toEqual(asJson({ ...answer, $id: shape }))
  }
})
