/** Gives external ids small indexes in the order of their appearance, until the import knows the accounts. */

import { RivuletError } from '../../core/errors.ts'

/** The most entries that a `Map` can hold, rounded down. */
const NAMES_MAX = 16_000_000

export interface Names {
  find(name: string): number | undefined
  /** Adds a name that is not known yet, and is a valid external id. @returns its index */
  add(name: string): number
  readonly list: readonly string[]
  /** Display names for accounts that the import creates, by index into `list`; existing accounts keep theirs. */
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
      // Copied, because a substring would keep the whole window of the file in memory.
      const own = Buffer.from(name).toString()
      indexes.set(own, list.length)
      return list.push(own) - 1
    },
  }
}
