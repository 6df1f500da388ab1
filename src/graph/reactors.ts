/** What follows from events of the graph: visits are saved, and claims that a damaged disk lost are made again. */

import { isEvent, type Reactor } from '../engine/domain.ts'
import type { Store } from '../ports/store/store.ts'
import type { Activity } from './activity.ts'
import { renewClaims } from './claims.ts'
import { accountChanged, accountCreated, seen } from './events.ts'

export const graphReactors = (store: Store, activity: Activity): readonly Reactor[] => [
  {
    name: 'graph-activity',
    takes: [seen, accountCreated],
    holds: 'log',
    begins: 'checkpoint',
    async react(events) {
      for (const event of events) {
        if (isEvent(event, seen)) activity.keep(event.body.numbers)
        else if (isEvent(event, accountCreated)) activity.keep([event.body.number])
      }
    },
  },
  {
    name: 'graph-claims',
    takes: [accountCreated, accountChanged],
    holds: 'log',
    begins: 'checkpoint',
    react: (events) => renewClaims(store, events),
  },
]
