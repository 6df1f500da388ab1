/** Parses JSON bodies, and writes a body in a canonical form that can be hashed. */

import { isUtf8 } from 'node:buffer'
import { isRivuletError, RivuletError } from '../core/errors.ts'
import { parseJsonText } from '../core/json.ts'
import { invalid } from '../core/text.ts'

/** @returns `undefined` for an empty body; throws `invalid_request` for bytes that core/json.ts does not accept */
export function parseJson(bytes: Buffer, valuesMax?: number): unknown {
  if (bytes.length === 0) return undefined
  if (!isUtf8(bytes)) throw invalid('', 'must be UTF-8')
  try {
    return parseJsonText(bytes.toString('utf8'), valuesMax)
  } catch (error) {
    if (isRivuletError(error)) throw error
    throw new RivuletError('invalid_request', 'the body is not well-formed JSON', {
      errors: [{ path: '', message: 'is not well-formed JSON' }],
      cause: error,
    })
  }
}

/** The same text for equal values, whatever the order of their fields; hashed to recognise a repeated request. */
export function canonicalJson(value: unknown): string {
  if (value === undefined) return ''
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  )
}
