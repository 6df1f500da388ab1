/**
 * Packs the entries of one call of `insert` for the script INSERT, a byte string for each group: an entry, the number of
 * its owners in that group, and these owners; then the next entry.
 */

import { ENTRY_BYTES, writeEntry } from './layout.ts'
import type { Spread } from '../views.ts'

export interface InsertPart {
  readonly group: number
  readonly bytes: Buffer
  readonly owners: number
}

export interface InsertBatch {
  add(spread: Spread): void
  readonly owners: number
  parts(): InsertPart[]
}

const COUNT_BYTES = 4
const OWNER_BYTES = 4
const FIRST_BYTES = 256

interface Draft {
  bytes: Buffer
  used: number
  owners: number
  /** Where the number of owners of the current entry is. */
  countAt: number
  /** The number of the spread that added to it last. */
  spread: number
}

export function createInsertBatch(groups: number): InsertBatch {
  const drafts = new Array<Draft | undefined>(groups)
  let spreads = 0
  let owners = 0

  function room(draft: Draft, size: number): void {
    if (draft.used + size <= draft.bytes.length) return
    const larger = Buffer.allocUnsafe(2 * draft.bytes.length)
    draft.bytes.copy(larger, 0, 0, draft.used)
    draft.bytes = larger
  }

  function begin(group: number, { id, ref, kind }: Spread): Draft {
    const draft = (drafts[group] ??= {
      bytes: Buffer.allocUnsafe(FIRST_BYTES),
      used: 0,
      owners: 0,
      countAt: 0,
      spread: 0,
    })
    room(draft, ENTRY_BYTES + COUNT_BYTES)
    draft.countAt = writeEntry(draft.bytes, draft.used, id, ref, kind)
    draft.bytes.writeUInt32LE(0, draft.countAt)
    draft.used = draft.countAt + COUNT_BYTES
    draft.spread = spreads
    return draft
  }

  return {
    add(spread) {
      spreads++
      owners += spread.owners.length
      for (const owner of spread.owners) {
        const group = owner % groups
        const known = drafts[group]
        const draft = known?.spread === spreads ? known : begin(group, spread)
        room(draft, OWNER_BYTES)
        draft.used = draft.bytes.writeUInt32LE(owner, draft.used)
        draft.bytes.writeUInt32LE(draft.bytes.readUInt32LE(draft.countAt) + 1, draft.countAt)
        draft.owners++
      }
    },
    get owners() {
      return owners
    },
    parts: () =>
      drafts.flatMap((draft, group) =>
        draft === undefined
          ? []
          : [{ group, bytes: draft.bytes.subarray(0, draft.used), owners: draft.owners }],
      ),
  }
}
