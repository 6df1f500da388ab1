/** Validates one post of an import, under the limits that posts through the API have. */

import { createHash } from 'node:crypto'
import { EPOCH_MS } from '../../core/ids.ts'
import { isRivuletError, type RivuletError } from '../../core/errors.ts'
import { invalid } from '../../core/text.ts'
import { parseRfc3339 } from '../../core/time.ts'
import { checkContent, checkCustom, VISIBILITIES, VISIBILITY, type Visibility } from '../../feed/index.ts'
import { externalIdFault } from '../../graph/index.ts'
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
  /** The id that the post has where it comes from. */
  readonly ref: string | undefined
  /** A hash that is equal for the same post, whichever file it comes from. */
  readonly fingerprint: string
}

/** The fields that a post may have, before they are checked. */
export interface RawPost {
  readonly author?: unknown
  readonly content?: unknown
  readonly custom?: unknown
  readonly visibility?: unknown
  readonly created_at?: unknown
  readonly id?: unknown
}

const FIELDS = new Set(['author', 'content', 'custom', 'visibility', 'created_at', 'id'])
/** Characters of an unknown field's name in a message. */
const SHOWN_CHARS_MAX = 60

/** @returns the post, or what is wrong with it */
export function checkPost(raw: unknown, place: Place, nowMs: number): PostInput | string {
  try {
    return readPost(raw, place, nowMs)
  } catch (error) {
    if (isRivuletError(error, 'invalid_request')) return faultOf(error)
    throw error
  }
}

/** What is wrong with a post, as the API says it. */
export function faultOf({ message, errors }: RivuletError): string {
  const [first] = errors ?? []
  if (first === undefined) return message
  return `${first.path === '' ? 'the post' : first.path} ${first.message}`
}

function readPost(raw: unknown, place: Place, nowMs: number): PostInput {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw invalid('', 'is not a JSON object')
  const unknown = Object.keys(raw).find((name) => !FIELDS.has(name))
  if (unknown !== undefined) {
    const shown = JSON.stringify(unknown.slice(0, SHOWN_CHARS_MAX))
    throw invalid('', `has the unknown field ${shown}; posts have only ${[...FIELDS].join(', ')}`)
  }
  const post = raw as RawPost
  const author = idText(post.author, '/author')
  const ref = post.id === undefined ? undefined : idText(post.id, '/id')
  const content = readContent(post.content)
  const custom = post.custom === undefined ? undefined : checkCustom(post.custom)
  if (content === undefined && custom === undefined) throw invalid('', 'needs content or custom')
  const visibility = checkVisibility(post.visibility)
  const createdAtMs = checkTime(post.created_at, nowMs)
  const identity = ref === undefined ? [author, createdAtMs, visibility, content, custom] : [author, ref]
  const fingerprint = createHash('sha256').update(JSON.stringify(identity)).digest('base64url')
  return { place, author, content, custom, visibility, createdAtMs, ref, fingerprint }
}

/** An id is text; a whole number is accepted, too, since programs write ids as numbers. */
function idText(value: unknown, path: string): string {
  const text = Number.isSafeInteger(value) ? String(value) : value
  if (typeof text !== 'string') throw invalid(path, 'must be an external id: a string or a whole number')
  const fault = externalIdFault(text)
  if (fault !== undefined) throw invalid(path, fault)
  return text
}

function readContent(content: unknown): string | undefined {
  if (content === undefined) return undefined
  if (typeof content !== 'string') throw invalid('/content', 'must be a string')
  return checkContent(content)
}

function checkVisibility(value: unknown): number {
  if (value === undefined) return VISIBILITY.public
  if (VISIBILITIES.includes(value as Visibility)) return VISIBILITY[value as Visibility]
  throw invalid('/visibility', `must be one of ${VISIBILITIES.join(', ')}`)
}

/** A time must have a zone: without one it would mean another moment on every machine. */
function checkTime(value: unknown, nowMs: number): number {
  const ms = typeof value === 'string' ? parseRfc3339(value) : value
  if (typeof ms !== 'number' || !Number.isSafeInteger(ms)) {
    const form = 'a valid RFC 3339 time with a zone, such as 2024-05-01T12:00:00Z'
    throw invalid('/created_at', `must be ${form}, or whole milliseconds since 1970`)
  }
  if (ms < EPOCH_MS || ms > nowMs) {
    const asMs = `${new Date(EPOCH_MS).toISOString()} and now (in milliseconds: ${EPOCH_MS} to ${nowMs})`
    throw invalid('/created_at', `must lie between ${asMs}`)
  }
  return ms
}
