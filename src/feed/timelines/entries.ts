/** Candidates as the columns that views take. */

import type { Entries } from '../../ports/views/views.ts'
import type { Candidate } from './pull.ts'

export function toEntries(candidates: readonly Candidate[]): Entries {
  const { length } = candidates
  const [ids, authors, kinds] = [new Float64Array(length), new Uint32Array(length), new Uint16Array(length)]
  for (let i = 0; i < length; i++) {
    const { id, author, kind } = candidates[i]
    ids[i] = id
    authors[i] = author
    kinds[i] = kind
  }
  return { length, ids, authors, kinds }
}
