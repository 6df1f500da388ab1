/** Stops a server in order: requests under way are answered, and streams end. */

import type { FastifyInstance } from 'fastify'
import type { Outbound } from '../../http/outbound.ts'
import type { Streams } from '../../http/streams.ts'
import type { Env } from '../../ports/env/env.ts'

const DRAIN_MS = 10_000
const SWEEP_MS = 50

/**
 * Ends streams, and stops taking requests; those under way have a limited time, then their connections are cut. A connection that was
 * busy is closed as soon as it is idle, because the server would wait for one that is kept alive.
 */
export async function drainServer(
  env: Env,
  app: FastifyInstance,
  outbound: Outbound,
  streams: Streams,
): Promise<void> {
  let sweep: { cancel(): void } | undefined
  function closeIdle(): void {
    app.server.closeIdleConnections()
    sweep = env.timer(SWEEP_MS, closeIdle)
  }
  let cutAll = () => {}
  const isCut = new Promise<void>((resolve) => (cutAll = resolve))
  const cut = env.timer(DRAIN_MS, () => {
    app.server.closeAllConnections()
    cutAll()
  })
  streams.drain()
  // Node counts a connection as idle once its answer is written, read or not, so wait for unread answers first.
  await Promise.race([outbound.idle(), isCut])
  closeIdle()
  await app.close().finally(() => {
    cut.cancel()
    sweep?.cancel()
  })
}
