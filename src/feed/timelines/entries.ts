/** Candidates as the columns that views take: the ref of an entry is the number of the post's author. */

import type { Entries } from '../../ports/views/views.ts'
import type { Candidate } from './pull.ts'

export function toEntries(candidates: readonly Candidate[]): Entries {
  const { length } = candidates
  const [ids, refs, kinds] = [new Float64Array(length), new Uint32Array(length), new Uint16Array(length)]
  for (let i = 0; i < length; i++) {
    const { id, author, kind } = candidates[i]
    ids[i] = id
    refs[i] = author
    kinds[i] = kind
  }
  return { length, ids, refs, kinds }
}
