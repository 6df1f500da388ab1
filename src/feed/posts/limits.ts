/** Checks of what a post contains, for commands and the import alike. */

import { LIMITS } from '../../core/limits.ts'
import { checkText, invalid, isInvisible } from '../../core/text.ts'

/** Throws `invalid_request` for text that is too long, ill-formed, or without a visible character. */
export function checkContent(content: string): string {
  if (isInvisible(content)) throw invalid('/content', 'must contain a visible character')
  const { contentGraphemesMax: graphemesMax, contentBytesMax: bytesMax } = LIMITS
  return checkText(content, { path: '/content', graphemesMax, bytesMax })
}

/** @returns the value as JSON text; throws `invalid_request` for null, and for what is too deep, too long or no JSON */
export function checkCustom(custom: unknown): string {
  if (custom === null) throw invalid('/custom', 'must not be null; leave the field out instead')
  if (depthOf(custom) > LIMITS.customDepthMax) {
    throw invalid('/custom', `must be nested at most ${LIMITS.customDepthMax} deep`)
  }
  if (hasInfinity(custom)) throw invalid('/custom', 'contains a number beyond the range of a 64-bit float')
  const text = JSON.stringify(custom)
  if (text === undefined) throw invalid('/custom', 'must be a JSON value')
  if (Buffer.byteLength(text) > LIMITS.customBytesMax) {
    throw invalid('/custom', `must have at most ${LIMITS.customBytesMax} bytes as JSON`)
  }
  return text
}

/** JSON.parse reads a number that is too large as infinity, which JSON.stringify would turn into null. */
const hasInfinity = (value: unknown): boolean =>
  typeof value === 'object' && value !== null
    ? Object.values(value).some(hasInfinity)
    : typeof value === 'number' && !Number.isFinite(value)

/** Stops one above the limit, so that depth cannot exhaust the stack. */
function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null || depth > LIMITS.customDepthMax) return depth
  let deepest = depth + 1
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner, depth + 1))
  return deepest
}
