/** Reads of the home feed: by cursor or `after`, and put off where a page takes too long. */

import type { CursorSeal } from '../../core/cursor.ts'
import { RivuletError } from '../../core/errors.ts'
import type { FeedContext } from '../context.ts'
import type { Pace } from '../../engine/read/pace.ts'
import type { Graph } from '../../graph/index.ts'
import type { Home } from '../home.ts'
import type { Pulls } from '../timelines/pulls.ts'
import type { Timelines } from '../timelines/timelines.ts'
import { createPageAfter } from './after.ts'
import { createPageBelow } from './below.ts'
import { openHome } from './cursors.ts'
import type { HomePage, HomeRequest } from './page.ts'
import { createNotReady, createPutOff, type PutOff } from './put-off.ts'
import { createRebuildIfDue } from './rebuild.ts'
import type { Reveals } from './reveals.ts'
import { createSessions } from './session.ts'

export interface HomeReadParts {
  readonly context: FeedContext
  readonly pace: Pace
  readonly graph: Graph
  readonly pulls: Pulls
  readonly timelines: Timelines
  readonly home: Home
  readonly reveals: Reveals
  readonly seal: CursorSeal
  /** How many imports there were. */
  readonly imports: () => number
}

export function createHomeReads(parts: HomeReadParts): PutOff {
  const { context, pace, graph, pulls, timelines, home, reveals, seal, imports } = parts
  const { env, horizon } = context
  const sessions = createSessions(horizon, reveals, imports)
  const notReady = createNotReady(env, pulls)
  const rebuildIfDue = createRebuildIfDue(timelines, home)
  const pageBelow = createPageBelow({ context, home, timelines, seal, rebuildIfDue, notReady })
  const pageAfter = createPageAfter({ context, home, seal, rebuildIfDue }, sessions, pageBelow)

  async function readPage(reader: number, request: HomeRequest, sinceMs: number): Promise<HomePage> {
    if (request.cursor !== undefined && request.after !== undefined) {
      throw new RivuletError('invalid_request', 'cursor and after exclude each other', {
        errors: [{ path: 'query.after', message: 'cannot be combined with cursor' }],
      })
    }
    graph.activity.touch(reader)
    const known = graph.circles.of(reader)
    const isCold = known instanceof Promise
    const circle = isCold ? await known : known
    if (isCold) await pace.turn('begun')
    const asked = { reader, circle, limit: request.limit, sinceMs, isCold }
    if (request.after !== undefined) return pageAfter(asked, request.after)
    if (request.cursor === undefined) return pageBelow(asked, Infinity, sessions.begin(circle))
    const { position, session } = openHome(seal, 'next', reader, request.cursor)
    return pageBelow(asked, position, session)
  }

  return createPutOff(env, notReady, readPage)
}
