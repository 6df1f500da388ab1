/** Where the home feed comes from: the reader's timeline, outboxes of followees, and the reader's own outbox. */

import { Histogram, LATENCY_BOUNDS_MS } from '../../core/histogram.ts'
import { isBehind } from '../../engine/horizon/horizon.ts'
import type { Source } from '../../engine/read/stages.ts'
import { isMuted, type Graph } from '../../graph/index.ts'
import type { Views } from '../../ports/views/views.ts'
import type { Candidate } from '../timelines/pull.ts'
import type { Pulls } from '../timelines/pulls.ts'
import { createPulledLists } from './pulled.ts'
import type { HomeQuery } from './query.ts'

/** What was pushed to the reader. */
export const timelineSource = (views: Views): Source<HomeQuery, Candidate> => ({
  name: 'timeline',
  latency: new Histogram(LATENCY_BOUNDS_MS),
  async read(query, { below, atLeast, limit }) {
    const nothing = { candidates: [], lower: atLeast }
    const page = await views.range(query.reader, below, limit)
    if (page === undefined || isBehind(page.header, query.published)) {
      query.stats.isTimelineLost = true
      return nothing
    }
    const { entries, header } = page
    // A floor at infinity belongs to a rebuild under way, or to one that was broken off: asking for another does no
    // harm to the first and replaces the second.
    if (header.floor === Infinity) query.stats.isTimelineLost = true
    if (header.floor + 1 >= below) return nothing
    const candidates: Candidate[] = []
    for (let i = 0; i < entries.length && entries.ids[i] > header.floor; i++) {
      candidates.push({ id: entries.ids[i], author: entries.refs[i], kind: entries.kinds[i] })
    }
    query.stats.entries += candidates.length
    const reachedFloor = candidates.length < limit
    const end = header.floor === 0 ? 0 : header.floor + 1
    const lower = reachedFloor ? end : candidates[candidates.length - 1].id
    return { candidates, lower, covered: true }
  },
})

/** What was not pushed to the reader; everything, where the timeline does not answer for the window. */
export function outboxesSource(graph: Graph, pulls: Pulls): Source<HomeQuery, Candidate> {
  const pulledOf = createPulledLists(graph)
  return {
    name: 'outboxes',
    latency: new Histogram(LATENCY_BOUNDS_MS),
    read(query, { below, atLeast, limit, covered = false }) {
      const { circle } = query
      const all = covered ? pulledOf(circle, atLeast) : circle.following
      // Muted authors are left out here and not only by the filter: else a page would read all that they ever posted.
      const authors = circle.muted.length === 0 ? all : Array.from(all).filter((one) => !isMuted(circle, one))
      return pulls.forPage(query, { authors, below, atLeast, limit }, !covered)
    },
  }
}

export const ownPostsSource = (pulls: Pulls): Source<HomeQuery, Candidate> => ({
  name: 'own_posts',
  latency: new Histogram(LATENCY_BOUNDS_MS),
  read: (query, { below, atLeast, limit }) =>
    pulls.forPage(query, { authors: [query.reader], below, atLeast, limit }, false),
})
