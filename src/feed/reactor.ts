/** What follows from posts and follows once their rows stand: fan-out into timelines, and backfill of followers. */

import { isEvent, type Reactor } from '../engine/domain.ts'
import { graphEvents } from '../graph/index.ts'
import { homeView, type FeedContext } from './context.ts'
import { posted } from './events.ts'
import type { Fanout } from './fanout.ts'
import { isLate, tellLate } from './late.ts'
import type { Timelines } from './timelines/timelines.ts'

export function homeReactor(context: FeedContext, timelines: Timelines, fanout: Fanout): Reactor {
  return {
    name: 'feed-home',
    takes: [posted, graphEvents.followed],
    holds: [homeView.name],
    async react(batch) {
      for (const event of batch)
        if (isEvent(event, posted) && isLate(context, event)) await tellLate(context, event)
      for (const event of batch) {
        if (!isEvent(event, graphEvents.followed)) continue
        timelines.backfill({ ...event.body, followId: event.id })
      }
      await fanout.take(batch.filter((event) => isEvent(event, posted)))
    },
    // Timelines lack the post: from now on readers pull it from its author.
    buried: fanout.buried,
  }
}
