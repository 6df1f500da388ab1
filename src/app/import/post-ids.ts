/**
 * Gives imported posts ids that carry their own times. A post that was imported before keeps its id; a new one gets an
 * id that no other imported post has. Post and id are claimed durably before the post's row is written.
 */

import { createImportIds, idFloorAt, idTimeMs } from '../../core/ids.ts'
import type { Store } from '../../ports/store/store.ts'
import type { PostInput } from './post-input.ts'
import { idClaim, importClaimsTable, postClaim } from './tables.ts'

export interface PostIds {
  /** One id per post; equal posts get equal ids. */
  of(posts: readonly PostInput[]): Promise<number[]>
}

export function createPostIds(store: Store): PostIds {
  const taken = new Set<number>()
  const stamp = createStamp((id) => taken.has(id))

  /** Claims ids for new posts. If an id belongs to another post already, the next one is tried. */
  async function claimIds(fingerprints: readonly string[], times: readonly number[]): Promise<number[]> {
    const ids = fingerprints.map(() => 0)
    let open = fingerprints.map((_, i) => i)
    while (open.length > 0) {
      for (const i of open) ids[i] = stamp(times[i])
      const owners = await claimAll(open.map((i) => [idClaim(ids[i]), fingerprints[i]]))
      const lost = open.filter((i, at) => owners[at] !== fingerprints[i])
      for (const i of lost) taken.add(ids[i])
      open = lost
    }
    return ids
  }

  /** @returns the value of each claim: the given one, or that of an earlier claim */
  async function claimAll(claims: readonly (readonly [string, string])[]): Promise<string[]> {
    const rows = claims.map(([claim, value]) => ({
      ...importClaimsTable.key(claim),
      value: importClaimsTable.encode({ value }),
    }))
    const answers = await store.insertIfAbsent(rows)
    return answers.map(({ value }, i) => importClaimsTable.decode({ ...rows[i], version: 0, value }).value)
  }

  return {
    async of(posts) {
      const known = await store.get(
        posts.map(({ fingerprint }) => importClaimsTable.key(postClaim(fingerprint))),
      )
      const idOf = new Map<string, number>()
      const fresh = new Map<string, number>()
      posts.forEach(({ fingerprint, createdAtMs }, i) => {
        const row = known[i]
        if (row === undefined) fresh.set(fingerprint, createdAtMs)
        else idOf.set(fingerprint, Number(importClaimsTable.decode(row).value))
      })
      const fingerprints = [...fresh.keys()]
      const ids = await claimIds(fingerprints, [...fresh.values()])
      await claimAll(fingerprints.map((fingerprint, i) => [postClaim(fingerprint), String(ids[i])]))
      fingerprints.forEach((fingerprint, i) => idOf.set(fingerprint, ids[i]))
      return posts.map(({ fingerprint }) => idOf.get(fingerprint) ?? 0)
    },
  }
}

/** Remembers where the ids of a full tick continue, so that a million posts of one second do not each search again. */
function createStamp(isTaken: (id: number) => boolean): (timeMs: number) => number {
  const ids = createImportIds(isTaken)
  const goOnAtMs = new Map<number, number>()
  return (timeMs) => {
    const tick = idFloorAt(timeMs)
    const id = ids(goOnAtMs.get(tick) ?? timeMs)
    const tickOfIdMs = idTimeMs(id)
    if (idFloorAt(tickOfIdMs) !== tick) goOnAtMs.set(tick, tickOfIdMs)
    return id
  }
}
