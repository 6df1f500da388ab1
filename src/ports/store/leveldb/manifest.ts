/**
 * Reads LevelDB's MANIFEST, which says which files are part of the database. It is a list of edits, of which later ones
 * override earlier ones.
 *
 *   edit   (tag varint, the tag's fields)*
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readRecords } from './records.ts'

export interface Manifest {
  /** Number of the oldest write-ahead file whose rows may not be in tables; files with higher numbers are live, too. */
  readonly wal: number
  /** Number of another live file, in databases written by a very old LevelDB; otherwise 0. */
  readonly previousWal: number
  /** Sequence number of the last row that had been written when the edit that first names `wal` was written. */
  readonly walNamedAt: number
  /** Whether `wal` was named when LevelDB opened, before anything was written to that file. */
  readonly isWalOfOpening: boolean
  readonly tables: ReadonlySet<number>
}

type State = { -readonly [Field in keyof Manifest]: Manifest[Field] } & { tables: Set<number> }

const TAGS = {
  comparator: 1,
  wal: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedTable: 6,
  newTable: 7,
  previousWal: 9,
} as const

/**
 * Ignores an unfinished edit at the end, which never took effect.
 * @returns `undefined` where there is no database yet, or one that LevelDB will refuse to open
 */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  const current = await readFile(join(folder, 'CURRENT'), 'latin1')
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1]
  if (name === undefined) return undefined
  const state: State = { wal: -1, previousWal: 0, walNamedAt: 0, isWalOfOpening: true, tables: new Set() }
  const { end } = await readRecords(join(folder, name), Infinity, (bytes, start, end) =>
    applyEdit(state, new EditReader(bytes, start, end)),
  )
  return end === 'damaged' || state.wal < 0 ? undefined : state
}

/** @returns whether the edit is complete */
function applyEdit(state: State, edit: EditReader): boolean {
  let wal = state.wal
  let lastSequence = 0
  while (edit.hasMore) {
    const tag = edit.number()
    if (tag === TAGS.comparator) edit.skipText()
    else if (tag === TAGS.wal) wal = edit.number()
    else if (tag === TAGS.previousWal) state.previousWal = edit.number()
    else if (tag === TAGS.lastSequence) lastSequence = edit.number()
    else if (tag === TAGS.nextFile) edit.number()
    else if (tag === TAGS.compactPointer) edit.skipNumbers(1).skipText()
    else if (tag === TAGS.deletedTable) state.tables.delete(edit.skipNumbers(1).number())
    else if (tag === TAGS.newTable) {
      state.tables.add(edit.skipNumbers(1).number())
      edit.skipNumbers(1).skipText().skipText()
    } else return false
  }
  if (wal !== state.wal) {
    // The first edit that names a file is from an opening: only then does LevelDB begin a MANIFEST.
    state.isWalOfOpening = state.wal < 0
    state.wal = wal
    state.walNamedAt = lastSequence
  }
  return !edit.isBroken
}

class EditReader {
  isBroken = false
  readonly #bytes: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get hasMore(): boolean {
    return !this.isBroken && this.#at < this.#end
  }

  /** A varint: 7 bits a byte, the lowest first; the last byte is below 128. */
  number(): number {
    let value = 0
    for (let scale = 1; this.hasMore; scale *= 128) {
      const byte = this.#bytes[this.#at++]
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    this.isBroken = true
    return 0
  }

  skipNumbers(count: number): this {
    for (let done = 0; done < count; done++) this.number()
    return this
  }

  skipText(): this {
    const bytes = this.number()
    this.#at += bytes
    if (this.#at > this.#end) this.isBroken = true
    return this
  }
}
