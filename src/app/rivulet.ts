/** Puts the engine and its domains together over given ports. Servers, commands and the library are built on it. */

import { createCursorSeal } from '../core/cursor.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import { createFeed, type Feed } from '../feed/index.ts'
import { createGraph, type Graph } from '../graph/index.ts'
import type { Bus } from '../ports/bus/bus.ts'
import { createMemoryBus } from '../ports/bus/memory.ts'
import type { Env } from '../ports/env/env.ts'
import type { Ephemeral } from '../ports/ephemeral/ephemeral.ts'
import { createMemoryEphemeral } from '../ports/ephemeral/memory.ts'
import type { Log } from '../ports/log/log.ts'
import type { Store } from '../ports/store/store.ts'
import type { Views } from '../ports/views/views.ts'
import type { SharedOptions } from '../engine/processes/shared.ts'

export interface RivuletPorts {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly views: Views
  /** In memory where it is left out, as for a process that is alone. */
  readonly bus?: Bus
  /** In memory where it is left out, as for a process that is alone. */
  readonly ephemeral?: Ephemeral
}

export interface RivuletOptions {
  /** Seals cursors. It must stay the same: under another secret, cursors given out before are refused. */
  readonly secret: Uint8Array
  readonly postCacheBytesMax?: number
  /** Called when the engine cannot go on (a disk error, a broken invariant): end the process. */
  readonly onFatal?: (error: unknown) => void
  /** Called with a sentence that an operator should read. */
  readonly onNotice?: (text: string) => void
  /** Set when other processes work on the same log and store; without it, this process has them to itself. */
  readonly shared?: SharedOptions
}

export interface Rivulet {
  readonly engine: Engine
  readonly graph: Graph
  readonly feed: Feed
  start(): Promise<void>
  /** Resolves when no work is left: everything written so far is fanned out to the views. */
  settle(): Promise<void>
  /** Stops the engine; the ports stay open. */
  stop(): Promise<void>
}

const POST_CACHE_BYTES = 256 * 1024 * 1024

/** With what a single process may keep in its own memory. */
export const wholePorts = (ports: RivuletPorts) => ({
  ...ports,
  bus: ports.bus ?? createMemoryBus({ env: ports.env }),
  ephemeral: ports.ephemeral ?? createMemoryEphemeral({ env: ports.env }),
})

export function createRivulet(ports: RivuletPorts, options: RivuletOptions): Rivulet {
  const built: { graph?: Graph; feed?: Feed } = {}
  const onFatal = options.onFatal ?? (() => {})
  const engine = createEngine(
    { ...wholePorts(ports), onFatal, onNotice: options.onNotice, shared: options.shared },
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
