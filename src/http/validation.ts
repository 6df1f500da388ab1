/**
 * Validates bodies and queries against their schemas, field by field. Values in a body are never coerced; text in a
 * query is a number only if it is written as one. Unknown fields are refused, and every message names its field.
 *
 * The work for an invalid value is bounded: the items of an array that is too long are not checked, and of many unknown
 * fields only the first are named.
 */

import { Compile } from 'typebox/compile'
import Type, { type Static, type TObject, type TSchema } from 'typebox'
import { RivuletError, type FieldError } from '../core/errors.ts'
import { parseId } from '../core/ids.ts'
import { pointerStep } from '../core/json.ts'

const ERRORS_SHOWN_MAX = 10

type Part = 'body' | 'query'

export interface Validator<T> {
  /** Returns the value, typed, or throws `invalid_request`. */
  (value: unknown): T
}

/**
 * Marks the schema of a string that is not checked here but by the code that reads it, which has more exact messages
 * and codes (such as `invalid_id`). The pattern and the lengths in the schema are for the OpenAPI document only;
 * test/http/document.test.ts checks that both agree.
 */
export const READ_BY_HAND = Symbol('read by hand')

interface Field {
  readonly name: string
  readonly isRequired: boolean
  readonly isWholeNumber: boolean
  isGood(value: unknown): boolean
  errorsOf(value: unknown): FieldError[]
}

/** @param schema of an object without additional fields; rules across fields are checked by the code that reads them */
export function validatorOf<T extends TObject>(schema: T, part: Part): Validator<Static<T>> {
  const fields = fieldsOf(schema, part)
  const names = new Set(fields.map(({ name }) => name))
  const fieldsMin = 'minProperties' in schema ? Number(schema.minProperties) : 0

  function unknownFields(value: object): FieldError[] {
    const errors: FieldError[] = []
    for (const name in value) {
      if (!names.has(name)) errors.push({ path: pathOf(part, name), message: 'is not a known field' })
      if (errors.length === ERRORS_SHOWN_MAX) break
    }
    return errors
  }

  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw refusal([{ path: '', message: 'must be an object' }])
    const given = value as Readonly<Record<string, unknown>>
    const errors = unknownFields(given)
    const read: Record<string, unknown> = {}
    let count = 0
    for (const { name, isRequired, isWholeNumber, isGood, errorsOf } of fields) {
      const one = isWholeNumber && part === 'query' ? numberIn(given[name]) : given[name]
      if (one === undefined) {
        if (isRequired) errors.push({ path: pathOf(part, name), message: 'is required' })
        continue
      }
      count++
      if (isGood(one)) read[name] = one
      else errors.push(...errorsOf(one))
    }
    if (errors.length > 0) throw refusal(errors)
    if (count < fieldsMin) throw refusal([{ path: '', message: 'must not be empty' }])
    return read as Static<T>
  }
}

function fieldsOf({ properties }: TObject, part: Part): Field[] {
  return Object.entries<TSchema>(properties).map(([name, schema]) => {
    const checked = Compile(withoutForm(schema))
    const path = pathOf(part, name)
    const itemsMax = 'maxItems' in schema ? Number(schema.maxItems) : Infinity
    const isLong = (value: unknown) => Array.isArray(value) && value.length > itemsMax
    return {
      name,
      isRequired: !Type.IsOptional(schema),
      isWholeNumber: 'type' in schema && schema.type === 'integer',
      isGood: (value) => !isLong(value) && checked.Check(value),
      errorsOf(value) {
        if (isLong(value)) return [{ path, message: `must not have more than ${itemsMax} items` }]
        const errors = checked.Errors(value) as readonly SchemaError[]
        return errors.map((error) => ({ path: path + error.instancePath, message: messageOf(error) }))
      },
    }
  })
}

/** One error of the validator, in the shape that Ajv gives errors. */
interface SchemaError {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: { readonly allowedValues?: readonly unknown[] }
}

const messageOf = ({ keyword, message, params }: SchemaError): string =>
  keyword === 'enum' ? `must be one of ${params.allowedValues?.join(', ')}` : message

function withoutForm(schema: TSchema): TSchema {
  if (READ_BY_HAND in schema) return Type.String()
  if (!Type.IsArray(schema)) return schema
  return { ...schema, items: withoutForm(schema.items) }
}

const pathOf = (part: Part, name: string): string =>
  part === 'body' ? pointerStep(name) : `query.${pointerStep(name).slice(1)}`

function refusal(errors: readonly FieldError[]): RivuletError {
  const [{ path, message }] = errors
  return new RivuletError('invalid_request', `${path === '' ? 'the body' : path} ${message}`, {
    errors: errors.slice(0, ERRORS_SHOWN_MAX),
  })
}

/** The number that a query's text holds, if it is written as in JSON; other text stays text, and is then refused. */
const numberIn = (text: unknown): unknown =>
  typeof text === 'string' && /^-?(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : text

/**
 * Parses the decimal id at `path` of a request; throws `invalid_id`.
 * @param wrong the message where `path` may hold something else than an id, too
 */
export function idAt(text: string, path: string, wrong?: string): number {
  try {
    return parseId(text)
  } catch (error) {
    const message = wrong ?? (error instanceof Error ? error.message : String(error))
    throw new RivuletError('invalid_id', message, { errors: [{ path, message }] })
  }
}
