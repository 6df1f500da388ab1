/** The refusal of an invalid body takes bounded work and is short. */

import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RivuletError } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { parseJson } from '../../src/http/json.ts'
import { validatorOf } from '../../src/http/validation.ts'
import { createWorld, type Person, type World } from './world.ts'

const ITEMS_MAX = 100
const Body = Type.Object({ ids: Type.Array(Type.String(), { minItems: 1, maxItems: ITEMS_MAX }) })
const validate = validatorOf(Body, 'body')

function refusalOf(task: () => unknown): RivuletError {
  try {
    task()
  } catch (error) {
    if (error instanceof RivuletError) return error
    throw error
  }
  throw new Error('was not refused')
}

/** Wraps `of` and counts how often one of its fields or items is read. */
function watched<T extends object>(of: T): { value: T; looks: () => number } {
  let looks = 0
  const value = new Proxy(of, {
    get(target, name, receiver) {
      if (name !== 'length') looks++
      return Reflect.get(target, name, receiver)
    },
    getOwnPropertyDescriptor(target, name) {
      looks++
      return Reflect.getOwnPropertyDescriptor(target, name)
    },
  })
  return { value, looks: () => looks }
}

describe('a validator', () => {
  it.each<[string, unknown]>([
    ['wrong', 1],
    ['good', '1'],
  ])('reads no item of an array that is too long, of %s items', (_name, item) => {
    const { value, looks } = watched(Array.from({ length: 250_000 }, () => item))
    const { errors } = refusalOf(() => validate({ ids: value }))
    expect(errors?.map(({ path }) => path)).toEqual(['/ids'])
    expect(looks()).toBe(0)
  })

  it('shows some of the wrong items', () => {
    const { errors } = refusalOf(() => validate({ ids: Array.from({ length: ITEMS_MAX }, () => 1) }))
    expect(errors?.length).toBeLessThanOrEqual(10)
    expect(errors?.[0].path).toBe('/ids/0')
  })

  it('reads only the first unknown fields', () => {
    const names = Array.from({ length: 5_000 }, (_, i) => [`name${i}`, 1])
    const { value, looks } = watched(Object.fromEntries(names))
    const { errors } = refusalOf(() => validate(value))
    expect(errors).toHaveLength(10)
    expect(looks()).toBeLessThan(30)
  })
})

describe('JSON', () => {
  const many = (piece: string) =>
    Array.from({ length: 50_000 }, (_, i) => piece.replace('#', String(i))).join(',')

  it.each([
    ['items', `{"ids":[${many('1')}]}`, '/ids'],
    ['arrays', `{"ids":[${many('[]')}]}`, '/ids'],
    ['names', `{${many('"n#":1')}}`, ''],
    ['names deep down', `{"custom":[{${many('"n#":1')}}]}`, '/custom/0'],
    ['brackets', '[]'.repeat(50_000), ''],
  ])('with too many %s is refused before it is parsed, even if the rest is not JSON', (_name, text, path) => {
    const { errors } = refusalOf(() => parseJson(Buffer.from(`${text}, and no JSON`)))
    expect(errors?.[0].path).toBe(path)
    expect(errors?.[0].message).toContain(String(LIMITS.customBytesMax))
  })
})

describe('an answer', () => {
  let world: World
  let alice: Person

  beforeAll(async () => {
    world = await createWorld()
    alice = await world.person('alice')
  })
  afterAll(() => world.close())

  const send = (raw: string) => world.call('POST', '/api/v1/posts', { as: alice.token, raw })

  it('does not repeat long names', async () => {
    const long = 'x'.repeat(200_000)
    for (const raw of [`{"${long}":1}`, `{"custom":{"${long}":1,"${long}":2}}`]) {
      const reply = await send(raw)
      expect(reply.json.code).toBe('invalid_request')
      expect(reply.text.length).toBeLessThan(1_000)
    }
    const named = await send('{"a/b~c":1}')
    expect(named.json.errors[0].path).toBe('/a~1b~0c')
  })

  it('takes as many values as `custom` has room for', async () => {
    const custom = Array.from({ length: LIMITS.customBytesMax / 2 - 1 }, () => 0)
    expect((await send(JSON.stringify({ custom }))).status).toBe(201)
  })
})
