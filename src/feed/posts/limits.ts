/** What a post may hold, wherever it comes from. */

import { LIMITS } from '../../core/limits.ts'
import { checkText, invalid, isInvisible } from '../../core/text.ts'

/** Throws `invalid_request` for what is too long, no text, or nothing that people could see. */
export function checkContent(content: string): string {
  if (isInvisible(content)) throw invalid('/content', 'must hold something that can be seen')
  const { contentGraphemesMax: graphemesMax, contentBytesMax: bytesMax } = LIMITS
  return checkText(content, { path: '/content', graphemesMax, bytesMax })
}

/** @returns any JSON value as text; throws `invalid_request` for one that is too deep, too long, or none */
export function checkCustom(custom: unknown): string {
  if (custom === null) throw invalid('/custom', 'must not be null; leave it out')
  if (depthOf(custom) > LIMITS.customDepthMax) {
    throw invalid('/custom', `must be nested at most ${LIMITS.customDepthMax} deep`)
  }
  if (hasInfinity(custom)) throw invalid('/custom', 'holds a number that is too large')
  const text = JSON.stringify(custom)
  if (text === undefined) throw invalid('/custom', 'must be a JSON value')
  if (Buffer.byteLength(text) > LIMITS.customBytesMax) {
    throw invalid('/custom', `must have at most ${LIMITS.customBytesMax} bytes as JSON`)
  }
  return text
}

/** A number beyond what JavaScript holds would come back as null. */
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
