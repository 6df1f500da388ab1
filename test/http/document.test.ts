/**
 * The OpenAPI document describes exactly which requests are accepted: a request that its schemas accept is not refused
 * for its form, and one that they refuse is. Rules that JSON Schema cannot express are left out: graphemes, bytes,
 * relations between two numbers, whether a cursor is genuine.
 */

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isInvisible } from '../../src/core/text.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { SEEN_TEXT_PATTERN } from '../../src/http/schemas.ts'
import type { OpenApi, Operation, Parameter } from './contract.ts'
import { createWorld, SERVER_KEY, type Person, type Reply, type World } from './world.ts'

let world: World
let alice: Person
/** Of alice. */
let post: string
let document: OpenApi
const ajv = new Ajv2020({ strict: false, validateFormats: false })

beforeAll(async () => {
  world = await createWorld()
  alice = await world.person('alice')
  const made = await world.call('POST', '/api/v1/posts', { as: alice.token, body: { content: 'A post.' } })
  post = made.json.id
  document = world.api.app.swagger() as unknown as OpenApi
})
afterAll(() => world.close())

const operationOf = (method: string, path: string): Operation =>
  document.paths[`/api/v1${path}`][method.toLowerCase()]

/** Whether a request was refused for its form, which does not depend on the data. */
const isRefused = ({ status, json }: Reply): boolean =>
  status === 414 || (status === 400 && ['invalid_request', 'invalid_id'].includes(json.code))

const IDS = [
  '1',
  '9007199254740991',
  '9007199254740992',
  '9007199254741000',
  '9999999999999999',
  '10000000000000000',
  '0',
  '01',
  '-1',
  '1.0',
  '1e3',
  '+1',
  'abc',
  '',
]
const NAMES = [
  'ext:',
  'ext:a',
  'ext: ',
  'ext:a/b',
  'ext:ext:',
  'ext:日本',
  'ext:a\u0000',
  'ext:a\n',
  'ext:\u0085',
  'ext:\u007f',
  `ext:${'x'.repeat(LIMITS.externalIdCodePointsMax)}`,
  `ext:${'x'.repeat(LIMITS.externalIdCodePointsMax + 1)}`,
  `ext:${'🦊'.repeat(LIMITS.externalIdCodePointsMax)}`,
  `ext:${'🦊'.repeat(LIMITS.externalIdCodePointsMax + 1)}`,
  'EXT:a',
  'ext',
  ' ext:a',
]
const TEXTS = [
  '',
  ' ',
  '\t\n',
  '\ufeff',
  '\u0085',
  '\u200b',
  '\u3164',
  '\u0301\u0302',
  '\u2800 \u00ad',
  'a',
  ' a ',
  'a\u0000',
  '\u0000',
  'é',
  '🦊'.repeat(100),
]
const HANDLES = ['ada', 'A.b-c_9', '.a', '-a', '_a', 'a b', 'é', 'x'.repeat(30), 'x'.repeat(31)]
const NUMBERS = [0, 1, 8, 9, -1, 1.5, 24, 3_650, 3_651, 1e9, 1e9 + 1, 1e300]
const OTHERS = [null, true, {}, [], ['1'], [''], [null], Array.from({ length: 101 }, () => '1')]
const VALUES: readonly unknown[] = [
  ...IDS,
  ...NAMES,
  ...TEXTS,
  ...HANDLES,
  ...NUMBERS,
  ...OTHERS,
  'public',
  'everybody',
  'push',
  'auto',
  'x'.repeat(LIMITS.clientRefCodePointsMax),
  'x'.repeat(LIMITS.clientRefCodePointsMax + 1),
]

/**
 * Draws objects: one in three is valid; the others have some of the fields, sometimes an unknown one, and mostly valid
 * values. Seldom it draws something other than an object.
 */
function bodiesOf(
  schema: Record<string, unknown>,
  validate: ValidateFunction,
  validateField: (name: string) => ValidateFunction,
) {
  const good: Record<string, fc.Arbitrary<unknown>> = {}
  const mixed: Record<string, fc.Arbitrary<unknown>> = {}
  for (const name of Object.keys(schema.properties as object)) {
    good[name] = fc.constantFrom(...VALUES.filter((value) => validateField(name)(value)))
    mixed[name] = fc.oneof({ weight: 3, arbitrary: good[name] }, fc.constantFrom(...VALUES))
  }
  const unknown = fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, fc.constant({ unknown: 1 }))
  const some = fc.record(mixed, { requiredKeys: [] })
  return fc.oneof(
    { weight: 10, arbitrary: fc.record(good, { requiredKeys: [] }).filter((body) => validate(body)) },
    { weight: 20, arbitrary: fc.tuple(some, unknown).map(([known, more]) => ({ ...known, ...more })) },
    fc.constantFrom(...VALUES),
  )
}

/** Rules that no schema can express: two numbers that contradict each other, and the number of graphemes. */
function isBeyondSchemas(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false
  const { active_hours: hours, inactive_days: days, display_name: name } = body as Record<string, unknown>
  if (typeof name === 'string' && name.length > LIMITS.displayNameGraphemesMax) return true
  return typeof hours === 'number' && typeof days === 'number' && hours > days * 24
}

describe('bodies', () => {
  it.each<[string, string, string?]>([
    ['POST', '/accounts'],
    ['PUT', '/accounts/{id}', '/accounts/ext:alice'],
    ['PATCH', '/me'],
    ['POST', '/tokens'],
    ['POST', '/posts'],
    ['POST', '/posts/lookup'],
    ['PUT', '/admin/tiers/{account_id}', '/admin/tiers/ext:alice'],
    ['PATCH', '/admin/policy'],
  ])('%s %s', async (method, path, address = path) => {
    const { security, requestBody } = operationOf(method, path)
    const schema = requestBody?.content['application/json'].schema ?? {}
    const validate = ajv.compile(schema)
    const validators = new Map<string, ValidateFunction>()
    for (const [name, field] of Object.entries(schema.properties as Record<string, object>))
      validators.set(name, ajv.compile(field))
    const as = security.some((option) => 'account' in option) ? alice.token : SERVER_KEY
    const validateField = (name: string) => validators.get(name) ?? validate
    let accepted = 0
    let refused = 0
    await fc.assert(
      fc.asyncProperty(bodiesOf(schema, validate, validateField), async (body) => {
        fc.pre(!isBeyondSchemas(body))
        const isGood = validate(body)
        if (isGood) accepted++
        else refused++
        const reply = await world.call(method, `/api/v1${address}`, { as, raw: JSON.stringify(body) })
        expect({ isRefused: isRefused(reply), why: reply.json }).toMatchObject({ isRefused: !isGood })
      }),
      { numRuns: 200 },
    )
    expect(accepted).toBeGreaterThan(20)
    expect(refused).toBeGreaterThan(20)
  })

  it('are required where they are described', async () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { requestBody, security }] of Object.entries(operations)) {
        if (requestBody === undefined) continue
        const isServers = !security.some((option) => 'account' in option)
        const reply = await world.call(method.toUpperCase(), path.replace(/\{[^}]+\}/, 'ext:alice'), {
          as: SERVER_KEY,
          headers: isServers ? {} : { 'rivulet-account': 'ext:alice' },
        })
        expect([path, isRefused(reply)]).toEqual([path, true])
      }
    }
  })

  it('of posts count as blank without visible characters, in the basic plane', () => {
    const seen = new RegExp(SEEN_TEXT_PATTERN, 'u')
    for (let code = 1; code <= 0xffff; code++) {
      const character = String.fromCharCode(code)
      if (character.isWellFormed() && seen.test(character) === isInvisible(character))
        throw new Error(`U+${code.toString(16)}`)
    }
  })
})

/** Every operation that has such a parameter, with the rest of its request as the examples say. */
function* withParameters(place: Parameter['in']): Generator<[string, string, Operation, Parameter]> {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      for (const parameter of operation.parameters ?? [])
        if (parameter.in === place) yield [method.toUpperCase(), path, operation, parameter]
    }
  }
}

/** A parameter of this address that names nothing. */
const nobodyIn = (path: string): string =>
  path.includes('/posts/{') ? '5' : path.endsWith('{handle}') ? 'nobody' : 'ext:nobody'

/** Sends a request with the body of its example, for alice unless the headers name another account. */
async function send(
  method: string,
  path: string,
  operation: Operation,
  headers: Record<string, string> = {},
) {
  const isServers = !operation.security.some((option) => 'account' in option)
  const body = operation.requestBody?.content['application/json'].example
  const acting = isServers || 'rivulet-account' in headers ? {} : { 'rivulet-account': alice.id }
  return world.call(method, path, { as: SERVER_KEY, body, headers: { ...acting, ...headers } })
}

describe('parameters', () => {
  it('of addresses', async () => {
    for (const [method, path, operation, { name, schema }] of withParameters('path')) {
      const validate = ajv.compile(schema)
      // An address without it is another one.
      for (const value of [...IDS, ...NAMES].filter((text) => text !== '')) {
        const address = path.replace(`{${name}}`, encodeURIComponent(value))
        const reply = await send(method, address, operation)
        expect([method, path, value, isRefused(reply)]).toEqual([method, path, value, !validate(value)])
      }
    }
  })

  it('of queries', async () => {
    const texts = [
      '1',
      '20',
      '100',
      '0',
      '101',
      '-1',
      '05',
      '+5',
      '5.5',
      '1e1',
      ' 5',
      '',
      'ids',
      'all',
      'x'.repeat(30),
    ]
    const cursors = ['a b', 'ä', '=', 'x'.repeat(19), 'x'.repeat(4_097)]
    for (const [method, path, operation, { name, schema }] of withParameters('query')) {
      const validate = ajv.compile(schema)
      const isNumber = schema.type === 'integer'
      const isCursor = name === 'cursor' || name === 'after'
      const address = path.replace('{id}', path.includes('/posts/{id}') ? post : 'ext:alice')
      for (const value of [...texts, ...(isCursor ? cursors : [])]) {
        const asJson = isNumber && /^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(value) ? Number(value) : value
        const reply = await send(method, `${address}?${name}=${encodeURIComponent(value)}`, operation)
        if (isCursor && validate(asJson)) expect(reply.json.code).toBe('invalid_cursor')
        else expect([path, name, value, reply.status === 400]).toEqual([path, name, value, !validate(asJson)])
      }
      const twice = await send(method, `${address}?${name}=20&${name}=20`, operation)
      expect(isRefused(twice)).toBe(true)
    }
  })

  it('of heads', async () => {
    const keys = ['a', '!~', 'x'.repeat(255), 'x'.repeat(256), 'a b', 'a\tb', '\xfc']
    const encoded = ['ext:%C3%BC', 'ext%3Aa', 'ext:a b', 'ext:a%2', 'ext:%', 'ext:\xc3(']
    const ascii = [...IDS, ...NAMES].filter((text) => text !== '' && /^[!-~]*$/.test(text))
    const short = ascii.filter((text) => text.length <= LIMITS.externalIdCodePointsMax + 'ext:'.length)
    const values: Record<string, string[]> = {
      'idempotency-key': keys,
      'rivulet-account': [...short, ...encoded],
    }
    for (const [method, path, operation, { name, schema }] of withParameters('header')) {
      const validate = ajv.compile(schema)
      for (const value of values[name]) {
        const address = path.replace(/\{[^}]+\}/, nobodyIn(path))
        const reply = await send(method, address, operation, {
          [name]: value,
        })
        expect([method, path, name, value, isRefused(reply)]).toEqual([
          method,
          path,
          name,
          value,
          !validate(value),
        ])
      }
    }
  })
})

describe('whatever an address is for', () => {
  it('an Expect that is not supported is refused, as documented', async () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const address = path.replace(/\{[^}]+\}/, 'ext:alice')
      for (const method of Object.keys(operations)) {
        const text = await world.raw(
          `${method.toUpperCase()} ${address} HTTP/1.1\r\nhost: x\r\nexpect: tea\r\nconnection: close\r\n\r\n`,
        )
        expect([method, path, text.slice(0, 12)]).toEqual([method, path, 'HTTP/1.1 417'])
        expect(document.paths[path][method].responses['417']).toBeDefined()
      }
    }
  })

  it('acting for an account that does not exist is refused, as documented', async () => {
    for (const [method, path, operation] of operationsForCallers()) {
      for (const [account, status] of [
        ['ext:nobody-at-all', 404],
        ['ext:', 400],
        ['%', 400],
      ] as const) {
        const reply = await send(method, path.replace(/\{[^}]+\}/, 'ext:alice'), operation, {
          'rivulet-account': account,
        })
        expect([method, path, account, reply.status]).toEqual([method, path, account, status])
        expect(operation.responses[String(status)]).toBeDefined()
      }
    }
  })
})

function* operationsForCallers(): Generator<[string, string, Operation]> {
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations))
      if (operation.tags[0] !== 'system') yield [method.toUpperCase(), path, operation]
}
