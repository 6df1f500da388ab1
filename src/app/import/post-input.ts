/** One post of an import: read from JSON, held to the limits that posts through the API have. */

import { createHash } from 'node:crypto'
import { EPOCH_MS } from '../../core/ids.ts'
import { isRivuletError } from '../../core/errors.ts'
import { invalid } from '../../core/text.ts'
import { checkContent, checkCustom, VISIBILITIES, VISIBILITY, type Visibility } from '../../feed/index.ts'
import { externalIdProblem } from './names.ts'
import type { Place } from './problems.ts'

export interface PostInput {
  readonly place: Place
  /** External id. */
  readonly author: string
  readonly content: string | undefined
  /** JSON text. */
  readonly custom: string | undefined
  readonly visibility: number
  readonly createdAtMs: number
  /** The id that the post had where it came from. */
  readonly ref: string | undefined
  /** The same for the same post, whichever file it comes in. */
  readonly fingerprint: string
}

/** What a post may say, before it is checked. */
export interface RawPost {
  readonly author?: unknown
  readonly content?: unknown
  readonly custom?: unknown
  readonly visibility?: unknown
  readonly created_at?: unknown
  readonly id?: unknown
}

const FIELDS = new Set(['author', 'content', 'custom', 'visibility', 'created_at', 'id'])
/** With a zone: a time without one means another moment on every machine. */
const ISO_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d):?(\d\d)?$/

/** @returns the post, or what is wrong with it */
export function checkPost(raw: unknown, place: Place, nowMs: number): PostInput | string {
  try {
    return readPost(raw, place, nowMs)
  } catch (error) {
    if (isRivuletError(error)) return error.message
    throw error
  }
}

function readPost(raw: unknown, place: Place, nowMs: number): PostInput {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw invalid('', 'is not a JSON object')
  const unknown = Object.keys(raw).find((name) => !FIELDS.has(name))
  if (unknown !== undefined)
    throw invalid(`/${unknown}`, `is not a field of a post: ${[...FIELDS].join(', ')}`)
  const post = raw as RawPost
  const author = idText(post.author, '/author')
  const ref = post.id === undefined ? undefined : idText(post.id, '/id')
  const content = readContent(post.content)
  const custom = post.custom === undefined ? undefined : checkCustom(post.custom)
  if (content === undefined && (custom === undefined || custom === 'null'))
    throw invalid('', 'needs content or custom')
  const visibility = checkVisibility(post.visibility)
  const createdAtMs = checkTime(post.created_at, nowMs)
  const identity = ref === undefined ? [author, createdAtMs, visibility, content, custom] : [author, ref]
  const fingerprint = createHash('sha256').update(JSON.stringify(identity)).digest('base64url')
  return { place, author, content, custom, visibility, createdAtMs, ref, fingerprint }
}

/** Ids are texts; programs write them as numbers, too. */
function idText(value: unknown, path: string): string {
  const text = Number.isSafeInteger(value) ? String(value) : value
  if (typeof text !== 'string') throw invalid(path, 'must be an external id: a string or a whole number')
  const problem = externalIdProblem(text)
  if (problem !== undefined) throw invalid(path, `is not an external id: ${problem}`)
  return text
}

function readContent(content: unknown): string | undefined {
  if (content === undefined || content === null) return undefined
  if (typeof content !== 'string') throw invalid('/content', 'must be a string')
  return checkContent(content)
}

function checkVisibility(value: unknown): number {
  const visibility = value ?? 'public'
  if (VISIBILITIES.includes(visibility as Visibility)) return VISIBILITY[visibility as Visibility]
  throw invalid('/visibility', `must be one of ${VISIBILITIES.join(', ')}`)
}

function checkTime(value: unknown, nowMs: number): number {
  const timeMs = typeof value === 'string' ? parseTime(value) : value
  if (!Number.isSafeInteger(timeMs)) {
    throw invalid(
      '/created_at',
      'must be a time with its zone, such as 2024-05-01T12:00:00Z, or milliseconds since 1970',
    )
  }
  const ms = Number(timeMs)
  if (ms < EPOCH_MS || ms > nowMs) throw invalid('/created_at', 'must lie between 2004 and now')
  return ms
}

function parseTime(text: string): number {
  const parts = ISO_TIME.exec(text)
  if (parts === null) return Number.NaN
  const [, local, zone, minutes] = parts
  return Date.parse(zone === 'Z' ? `${local}Z` : `${local}${zone}:${minutes ?? '00'}`)
}
