/** What an import remembers of itself. */

import { bool, struct, text, u53 } from '../../core/codec.ts'
import { defineTable } from '../../engine/rows/tables.ts'

/** Imports that were begun; one that did not end is to be run again. */
export const importsTable = defineTable({
  name: 'imports',
  partition: (_name: string) => 'imports',
  sort: (name: string) => name,
  value: struct({ name: text, finished: bool, startedAtMs: u53 }),
})

/**
 * Which post an imported one became, and which imported one a post is: claimed before the post is written,
 * so that a second run, or another file with the same post, finds it again instead of posting it twice.
 */
export const importClaimsTable = defineTable({
  name: 'import_claims',
  kind: 'once',
  partition: (claim: string) => claim,
  value: struct({ value: text }),
})

export const postClaim = (fingerprint: string): string => `post:${fingerprint}`
export const idClaim = (id: number): string => `id:${id}`
