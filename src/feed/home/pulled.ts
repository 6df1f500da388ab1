/** Which followees a page must pull although the reader has a timeline. */

import { edgeBucket } from '../../engine/fanout/policy.ts'
import { type Circle, type Graph } from '../../graph/index.ts'

/**
 * @returns a function that lists the followees to pull for ids from `atLeast` on: those with a mark that excludes
 * this reader there, and those whose older posts are not in the timeline yet. Followees with marks are few; they are
 * found once for each circle, and again when an author gets a first mark.
 */
export function createPulledLists(graph: Graph) {
  const { marks } = graph
  const lists = new WeakMap<Circle, { shape: number; marked: number[] }>()
  return (circle: Circle, atLeast: number): number[] => {
    let list = lists.get(circle)
    if (list === undefined || list.shape !== marks.shape) {
      const marked = Array.from(circle.following).filter((followee) => marks.has(followee))
      lists.set(circle, (list = { shape: marks.shape, marked }))
    }
    const due = list.marked.filter((author) => marks.of(author, edgeBucket(circle.number, author)) >= atLeast)
    if (circle.unbackfilled.length === 0) return due
    return [...new Set([...due, ...circle.unbackfilled])]
  }
}
