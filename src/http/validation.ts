/**
 * Bodies and queries against their schemas. Nothing is coerced in a body; a number in a query is a number
 * only if it is written as one. Unknown fields are refused, and every message names the field.
 */

import { Compile } from 'typebox/compile'
import type { TSchema } from 'typebox'
import { RivuletError, type FieldError } from '../core/errors.ts'
import { parseId } from '../core/ids.ts'

const ERRORS_SHOWN_MAX = 10

type Part = 'body' | 'query'

export interface Validator<T> {
  /** Gives the value back, typed, or throws `invalid_request`. */
  (value: unknown): T
}

export function validatorOf<T>(schema: TSchema, part: Part): Validator<T> {
  const compiled = Compile(schema)
  return (value) => {
    if (compiled.Check(value)) return value as T
    const errors = fieldErrors([...compiled.Errors(value)] as SchemaError[], part)
    throw new RivuletError('invalid_request', summaryOf(errors), { errors })
  }
}

/** What the validator says about one fault; the shape is Ajv's. */
interface SchemaError {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: {
    readonly requiredProperties?: readonly string[]
    readonly allowedValues?: readonly unknown[]
  }
}

function fieldErrors(found: readonly SchemaError[], part: Part): FieldError[] {
  const named = found.flatMap(({ keyword, instancePath, message, params }): FieldError[] => {
    // Said once more by the error of the field itself.
    if (keyword === 'additionalProperties') return []
    if (keyword === 'boolean') return [{ path: instancePath, message: 'is not a known field' }]
    if (keyword === 'required') {
      const missing = params.requiredProperties ?? []
      return missing.map((name) => ({ path: `${instancePath}/${name}`, message: 'is required' }))
    }
    if (keyword === 'enum') {
      return [{ path: instancePath, message: `must be one of ${params.allowedValues?.join(', ')}` }]
    }
    return [{ path: instancePath, message }]
  })
  const shown = named.slice(0, ERRORS_SHOWN_MAX)
  if (part === 'body') return shown
  return shown.map(({ path, message }) => ({ path: `query${path.replaceAll('/', '.')}`, message }))
}

function summaryOf(errors: readonly FieldError[]): string {
  const [first] = errors
  if (first === undefined) return 'the request does not match its schema'
  return `${first.path === '' ? 'the body' : first.path} ${first.message}`
}

/** Query text → integers where the schema wants them; anything but plain digits stays text, and is refused. */
export function withNumbers(
  query: Record<string, unknown>,
  numeric: readonly string[],
): Record<string, unknown> {
  let converted = query
  for (const name of numeric) {
    const text = query[name]
    if (typeof text === 'string' && /^-?[0-9]{1,15}$/.test(text))
      converted = { ...converted, [name]: Number(text) }
  }
  return converted
}

/** A decimal id that stands at `path`. */
export function idAt(text: string, path: string): number {
  try {
    return parseId(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new RivuletError('invalid_id', message, { errors: [{ path, message }] })
  }
}
