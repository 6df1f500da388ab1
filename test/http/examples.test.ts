/** "Try it out": every example of the OpenAPI document is accepted unchanged, and each operation has one. */

import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { idTimeMs } from '../../src/core/ids.ts'
import { EXAMPLE_ID } from '../../src/http/schemas.ts'
import { createRivulet } from '../../src/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'
import type { OpenApi, Operation, Parameter } from './contract.ts'
import { createWorld, SERVER_KEY, type Person, type World } from './world.ts'

/** Time stands still at the time of the example id, so that posts get the ids before it, and then the id itself. */
const env = { ...createRealEnv(), wallMs: () => idTimeMs(Number(EXAMPLE_ID)) }

/** A world with everything that the examples name: `ext:nova`, `ext:guest`, and a post of the guest with that id. */
async function exampleWorld(): Promise<{ world: World; guest: Person }> {
  const ports = {
    env,
    log: createMemoryLog({ env, partitions: 1 }),
    store: createMemoryStore({ env }),
    views: createMemoryViews({ bytesMax: 2 ** 24 }),
  }
  const onFatal = (error: unknown) => {
    throw error
  }
  const rivulet = createRivulet(ports, { secret: new Uint8Array(32).fill(3), onFatal })
  await rivulet.start()
  const world = await createWorld({ rivulet, env })
  const nova = await world.person('nova')
  const guest = await world.person('guest')
  const postAs = async ({ token }: Person): Promise<number> => {
    const made = await world.call('POST', '/api/v1/posts', { as: token, body: { content: 'A post.' } })
    return Number(made.json.id)
  }
  for (let id = 0; id < Number(EXAMPLE_ID) - 1;) id = await postAs(nova)
  expect(await postAs(guest)).toBe(Number(EXAMPLE_ID))
  return { world, guest }
}

interface Call {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

/** The value that Swagger UI writes into the field of a parameter; an empty one is not sent. */
const prefilled = ({ example, schema }: Parameter): unknown => example ?? schema.example ?? schema.default

function requestOf({ path, operation }: Call): {
  path: string
  headers: Record<string, string>
  body: unknown
} {
  const url = new URL(path, 'http://x')
  let address = path
  const headers: Record<string, string> = {}
  for (const parameter of operation.parameters ?? []) {
    const value = prefilled(parameter)
    if (parameter.in === 'path') expect(value, `${path} has an example`).toBeDefined()
    if (value === undefined) continue
    if (parameter.in === 'path')
      address = address.replace(`{${parameter.name}}`, encodeURIComponent(String(value)))
    else if (parameter.in === 'query') url.searchParams.set(parameter.name, String(value))
    else headers[parameter.name] = String(value)
  }
  const body = operation.requestBody?.content['application/json']
  if (body !== undefined) expect(body.example, `${path} has an example`).toBeDefined()
  return { path: address + url.search, headers, body: body?.example }
}

let first: { world: World; guest: Person }
let document: OpenApi

beforeAll(async () => {
  first = await exampleWorld()
  document = (await first.world.call('GET', '/openapi.json')).json as OpenApi
})
afterAll(() => first.world.close())

const callsOf = ({ paths }: OpenApi): Call[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  )

it('is accepted for every operation, by each kind of caller', async () => {
  const { world, guest } = first
  // Deletions come last, because other operations need the deleted things; that of the post itself after all others.
  const lateness = ({ method, path }: Call) => (method === 'DELETE' ? (path.endsWith('/{id}') ? 2 : 1) : 0)
  const calls = callsOf(document).sort((a, b) => lateness(a) - lateness(b))
  const failed: unknown[] = []
  for (const call of calls) {
    const { path, headers, body } = requestOf(call)
    const schemes = call.operation.security.flatMap((option) => Object.keys(option))
    const callers: { as?: string; headers: Record<string, string> }[] = []
    if (schemes.length === 0) callers.push({ headers })
    if (schemes.includes('account')) {
      callers.push({ as: guest.token, headers })
      callers.push({ as: SERVER_KEY, headers: { ...headers, 'rivulet-account': 'ext:guest' } })
    } else if (schemes.includes('server')) callers.push({ as: SERVER_KEY, headers })
    for (const caller of callers) {
      const reply = await world.call(call.method, path, { ...caller, body })
      if (reply.status >= 300) failed.push({ call: `${call.method} ${path}`, reply: reply.json })
    }
  }
  expect(failed).toEqual([])
})

it('is good wherever it stands in the document', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema(document, 'api')
  let count = 0
  function visit(value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    const { example, examples, schema = value } = value as Record<string, unknown>
    const found = [...(example === undefined ? [] : [example]), ...(Array.isArray(examples) ? examples : [])]
    for (const one of found) {
      count++
      const rooted = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as object
      expect(ajv.validate(rooted, one), JSON.stringify(one)).toBe(true)
    }
    Object.values(value).forEach(visit)
  }
  visit(document)
  expect(count).toBeGreaterThan(20)
})
