/** What a domain adds to the HTTP API: its routes, and its metrics. */

import type { CursorSeal } from '../core/cursor.ts'
import type { DomainSpec } from '../engine/domain.ts'
import type { Env } from '../ports/env/env.ts'
import type { Metrics } from './metrics.ts'
import type { Router } from './route.ts'
import type { Tokens } from './tokens.ts'

export interface WebDomain<A = unknown> extends DomainSpec<A> {
  /** Declares the domain's routes. */
  routes?(api: A, host: RouteHost): void
  /** Declares the domain's metrics; their names begin with `rivulet_` and the domain's name. */
  metrics?(api: A, metrics: Metrics): void
}

export interface RouteHost {
  readonly router: Router
  readonly env: Env
  readonly tokens: Tokens
  /** Seals cursors of account lists. */
  readonly listSeal: CursorSeal
  /** What another domain offers. */
  use<A>(spec: DomainSpec<A>): A
}
