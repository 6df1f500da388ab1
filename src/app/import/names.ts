/** External ids → small numbers in the order in which they appear: what an import works with until it knows the accounts. */

import { RivuletError } from '../../core/errors.ts'

/** What a `Map` holds. */
const NAMES_MAX = 16_000_000

export interface Names {
  find(name: string): number | undefined
  /** For a name that is not there, and is fit to be an external id. */
  add(name: string): number
  readonly list: readonly string[]
  /** What those are called that become new accounts, by their places in `list`; those that exist keep their names. */
  readonly displayNames: Map<number, string>
}

export function createNames(): Names {
  const indexes = new Map<string, number>()
  const list: string[] = []
  return {
    list,
    displayNames: new Map(),
    find: (name) => indexes.get(name),
    add(name) {
      if (list.length >= NAMES_MAX) {
        const message = `one import takes at most ${NAMES_MAX} accounts; split the file and import its parts`
        throw new RivuletError('import_invalid', message)
      }
      // A part of a line would keep the whole window it was cut from in memory.
      const own = Buffer.from(name).toString()
      indexes.set(own, list.length)
      return list.push(own) - 1
    },
  }
}
