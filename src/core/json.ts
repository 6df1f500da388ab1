/**
 * Parses JSON from untrusted clients. One pass over the text checks its shape before `JSON.parse` builds anything, in
 * constant stack: ten thousand open brackets cost ten thousand steps. Refused are deep nesting, too many values, a name
 * that occurs twice in an object, and names that reach an object's prototype.
 */

import { LIMITS } from './limits.ts'
import { invalid } from './text.ts'

/** Above the limit for `custom`, so that a `custom` that is too deep is refused with its own message. */
const JSON_DEPTH_MAX = 64
/**
 * Bounds the time for all that is done to a body later: parsing, checking, hashing. `custom` may have the most values,
 * and has fewer of them than bytes.
 */
const JSON_VALUES_MAX = LIMITS.customBytesMax
/** Longer names are cut in error messages: a body's half megabyte of name must not come back in the answer. */
const STEP_CHARS_MAX = 64

/** An object, with the names met in it so far, or an array that is open at the current position. */
interface Level {
  readonly names: Set<string> | undefined
  /** Name or index of the value that is being read. */
  at: string | number
  expectsName: boolean
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** Throws `invalid_request` for a shape that is refused, and the parser's `SyntaxError` for text that is not JSON. */
export function parseJsonText(text: string, valuesMax: number = JSON_VALUES_MAX): unknown {
  checkShape(text, valuesMax)
  return JSON.parse(text)
}

/** Throws for a shape that is refused. Text that is not JSON may pass: the parser refuses it. */
function checkShape(text: string, valuesMax: number): void {
  const levels: Level[] = []
  let level: Level | undefined
  let values = 0
  /** The path of the innermost array or object that is open. */
  const path = () =>
    levels
      .slice(0, -1)
      .map(({ at }) => pointerStep(at))
      .join('')
  const pathTo = (name: string) => path() + pointerStep(name)

  function count(): void {
    if (++values > valuesMax)
      throw invalid(path(), `has too many values: a body may have at most ${valuesMax}`)
  }

  function open(isObject: boolean): void {
    count()
    if (levels.length >= JSON_DEPTH_MAX) throw invalid('', `must be nested at most ${JSON_DEPTH_MAX} deep`)
    level = { names: isObject ? new Set() : undefined, at: 0, expectsName: isObject }
    levels.push(level)
  }

  function takeName(inside: Level, names: Set<string>, name: string): void {
    const parent = levels[levels.length - 2]
    if (names.has(name)) throw invalid(pathTo(name), 'occurs twice in its object')
    if (name === '__proto__' || (name === 'prototype' && parent?.at === 'constructor'))
      throw invalid(pathTo(name), 'is not allowed as a name')
    names.add(name)
    inside.at = name
    inside.expectsName = false
  }

  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      const end = endOfString(text, i)
      if (level?.expectsName === true && level.names !== undefined)
        takeName(level, level.names, nameOf(text.slice(i, end + 1)))
      i = end
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) open(code === OPEN_BRACE)
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      levels.pop()
      level = levels[levels.length - 1]
    } else if (code === COMMA && level !== undefined) {
      count()
      if (level.names === undefined) level.at = Number(level.at) + 1
      else level.expectsName = true
    }
  }
}

/** Index of the closing quote, or of the end of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

/** Decodes escapes, behind which a name may hide: `"__proto\u005f_"`. */
function nameOf(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return String(JSON.parse(quoted))
  } catch {
    return quoted
  }
}

/** A name or an index as a step of a JSON pointer (RFC 6901); long names are cut. */
export function pointerStep(name: string | number): string {
  const text = String(name).replaceAll('~', '~0').replaceAll('/', '~1')
  return `/${text.length > STEP_CHARS_MAX ? `${text.slice(0, STEP_CHARS_MAX)}…` : text}`
}
