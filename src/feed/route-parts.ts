/** What the routes of the feed are made from. */

import type { Env } from '../ports/env/env.ts'
import type { AccountRefs, Circle, Graph } from '../graph/index.ts'
import type { Caller } from '../http/auth.ts'
import type { Maybe, Router } from '../http/route.ts'
import type { Feed } from './index.ts'
import type { Renderer } from './render.ts'

export interface FeedRouteParts {
  readonly router: Router
  readonly env: Env
  readonly graph: Graph
  readonly feed: Feed
  readonly refs: AccountRefs
}

/** What the routes of posts need. */
export interface PostRouteParts extends FeedRouteParts {
  readonly renderer: Renderer
  /** The circle that decides what the caller may see; `undefined` for the application, which may see everything. */
  readonly viewerOf: (caller: Caller) => Maybe<Circle | undefined>
}
