/** The demo world as an import source: lists in memory in place of files. */

import type { ImportSource } from '../import/import.ts'
import { checkPost, type PostInput } from '../import/post-input.ts'
import type { DemoWorld } from './world.ts'

export const IMPORT_NAME = 'demo'

export const demoSource = ({ people, follows, posts }: DemoWorld): ImportSource => ({
  name: IMPORT_NAME,
  async people(names) {
    for (const { handle, displayName } of people) names.displayNames.set(names.add(handle), displayName)
  },
  edges: {
    mutual: false,
    async read({ names }) {
      const indexes = (side: 0 | 1) => Uint32Array.from(follows, (follow) => names.find(follow[side]) ?? 0)
      return { from: indexes(0), to: indexes(1), placeOf: (row) => ({ file: IMPORT_NAME, line: row + 1 }) }
    },
  },
  posts: {
    async *read({ nowMs, problems }) {
      const batch: PostInput[] = []
      posts.forEach(({ ref, author, content, ageMs }, i) => {
        const place = { file: IMPORT_NAME, line: i + 1 }
        const post = checkPost({ id: ref, author, content, created_at: nowMs - ageMs }, place, nowMs)
        if (typeof post === 'string') problems.add(place, 'not a post', post)
        else batch.push(post)
      })
      yield batch
    },
  },
})
