/** The engine and its domains over ports of one's choice: what a command or a server is made of. */

import { createCursorSeal } from '../core/cursor.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import { createFeed, type Feed } from '../feed/index.ts'
import { createGraph, type Graph } from '../graph/index.ts'
import type { Env } from '../ports/env/env.ts'
import type { Log } from '../ports/log/log.ts'
import type { Store } from '../ports/store/store.ts'
import type { Views } from '../ports/views/views.ts'
import type { SharedOptions } from '../engine/processes/shared.ts'

export interface RivuletPorts {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly views: Views
}

export interface RivuletOptions {
  /** Seals cursors; keep it, or cursors given out before are refused. */
  readonly secret: Uint8Array
  readonly postCacheBytesMax?: number
  /** The engine cannot go on (a disk error, a broken invariant): end the process. */
  readonly onFatal?: (error: unknown) => void
  /** What an operator should know. */
  readonly onNotice?: (text: string) => void
  /** Other processes work on the same log and store; without it, this one has them to itself. */
  readonly shared?: SharedOptions
}

export interface Rivulet {
  readonly engine: Engine
  readonly graph: Graph
  readonly feed: Feed
  start(): Promise<void>
  /** Resolves when nothing is left to do: everything written is in the views. */
  settle(): Promise<void>
  /** Ends the engine, not its ports. */
  stop(): Promise<void>
}

const POST_CACHE_BYTES = 256 * 1024 * 1024

export function createRivulet(ports: RivuletPorts, options: RivuletOptions): Rivulet {
  const built: { graph?: Graph; feed?: Feed } = {}
  const onFatal = options.onFatal ?? (() => {})
  const engine = createEngine(
    { ...ports, onFatal, onNotice: options.onNotice, shared: options.shared },
    (context) => {
      const graph = createGraph(context)
      const feed = createFeed(context, graph, {
        seal: createCursorSeal(options.secret),
        postCacheBytesMax: options.postCacheBytesMax ?? POST_CACHE_BYTES,
      })
      Object.assign(built, { graph, feed })
      return { domains: [graph.domain, feed.domain], background: [feed.fanout.runner, feed.timelines] }
    },
  )
  const { graph, feed } = built as { graph: Graph; feed: Feed }
  return { engine, graph, feed, start: engine.start, settle: engine.settle, stop: engine.stop }
}
