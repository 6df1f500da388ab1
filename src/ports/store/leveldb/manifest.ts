/**
 * What LevelDB's MANIFEST says about its files. It is a list of edits; later ones override earlier ones.
 *
 *   edit   (tag varint, what belongs to the tag)*
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readRecords } from './records.ts'

export interface Manifest {
  /** The oldest write-ahead file whose rows may not be in tables; all with a higher number are live, too. */
  readonly wal: number
  /** Live as well, where a very old version wrote it; otherwise 0. */
  readonly previousWal: number
  /** The sequence number of the last row written when the edit that first named `wal` was. */
  readonly walNamedAt: number
  /** `wal` was named when LevelDB opened, before anything was written to it. */
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
 * An unfinished edit at the end never took effect.
 * @returns nothing where there is no database yet, or one that LevelDB will refuse
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

/** @returns whether it is a whole edit */
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
    // The first to name one is the edit of the opening: a MANIFEST is begun only then.
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

  /** 7 bits a byte, the lowest first; the last byte is below 128. */
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
