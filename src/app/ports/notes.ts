/**
 * Notes: small texts, by name, that a deployment keeps about itself, such as its keys, or that it was moved. A note is
 * written once. In a data folder each is a file; on engines they are rows, the same for all processes.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { struct, text } from '../../core/codec.ts'
import { RivuletError } from '../../core/errors.ts'
import { defineTable } from '../../engine/rows/tables.ts'
import type { Store } from '../../ports/store/store.ts'
import { writeFileDurably } from './durable-file.ts'

export interface Notes {
  read(name: string): Promise<string | undefined>
  /** Keeps the text that `make` gives, unless the note exists. @returns the text of the note */
  keep(name: string, make: () => string): Promise<{ readonly text: string; readonly isNew: boolean }>
  /** Where the note is, for people. */
  placeOf(name: string): string
  /** How an operator can remove the note; `undefined` where that is not possible by hand. */
  removal(name: string): string | undefined
}

export function createFolderNotes(folder: string): Notes {
  const pathOf = (name: string) => join(folder, name)
  async function read(name: string): Promise<string | undefined> {
    const path = pathOf(name)
    const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      const message = `${path} cannot be read (${error.message}); check its rights`
      throw new RivuletError('disk_error', message, { cause: error })
    })
    return content?.trim()
  }
  return {
    read,
    placeOf: pathOf,
    removal: (name) => `delete ${pathOf(name)}`,
    async keep(name, make) {
      const known = await read(name)
      if (known !== undefined) return { text: known, isNew: false }
      const made = make()
      await writeFileDurably(pathOf(name), `${made}\n`)
      return { text: made, isNew: true }
    },
  }
}

export const notesTable = defineTable({
  name: 'notes',
  kind: 'once',
  partition: (name: string) => name,
  value: struct({ text }),
})

export function createStoreNotes(store: Store, place: string): Notes {
  return {
    async read(name) {
      const [row] = await store.get([notesTable.key(name)])
      return row === undefined ? undefined : notesTable.decode(row).text
    },
    placeOf: (name) => `${place}, note ${name}`,
    removal: () => undefined,
    async keep(name, make) {
      const key = notesTable.key(name)
      const [{ inserted, value }] = await store.insertIfAbsent([
        { ...key, value: notesTable.encode({ text: make() }) },
      ])
      return { text: notesTable.decode({ ...key, version: 0, value }).text, isNew: inserted }
    },
  }
}
