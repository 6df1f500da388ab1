/** Tables of the import: its journal, and its claims. */

import { bool, struct, text, u53 } from '../../core/codec.ts'
import { defineTable } from '../../engine/rows/tables.ts'

/** Imports that were begun; one that is not finished must be run again. */
export const importsTable = defineTable({
  name: 'imports',
  partition: (_name: string) => 'imports',
  sort: (name: string) => name,
  value: struct({ name: text, finished: bool, startedAtMs: u53 }),
})

/**
 * Claims from an imported post (its fingerprint) to its id, and back. They are made before the post is written, so that
 * a second run, or another file with the same post, finds it instead of importing it twice.
 */
export const importClaimsTable = defineTable({
  name: 'import_claims',
  kind: 'once',
  partition: (claim: string) => claim,
  value: struct({ value: text }),
})

export const postClaim = (fingerprint: string): string => `post:${fingerprint}`
export const idClaim = (id: number): string => `id:${id}`
