/** Puts the engine and its domains together over given ports. Servers, commands and the library are built on it. */

import { createEngine, type Engine } from '../engine/engine.ts'
import type { WebDomain } from '../http/domain.ts'
import { feedDomain, homeView, type Feed } from '../feed/index.ts'
import { graphDomain, type Graph } from '../graph/index.ts'
import { DOMAINS } from './domains.ts'
import type { Bus } from '../ports/bus/bus.ts'
import { createMemoryBus } from '../ports/bus/memory.ts'
import type { Env } from '../ports/env/env.ts'
import type { Ephemeral } from '../ports/ephemeral/ephemeral.ts'
import { createMemoryEphemeral } from '../ports/ephemeral/memory.ts'
import type { Log } from '../ports/log/log.ts'
import type { Store } from '../ports/store/store.ts'
import { createMemoryViews } from '../ports/views/memory/memory.ts'
import type { Views, ViewSpec } from '../ports/views/views.ts'
import type { SharedOptions } from '../engine/processes/shared.ts'

export interface RivuletPorts {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  /** The timelines. */
  readonly views: Views
  /** Views of other domains, by name; one that is left out is in memory. */
  readonly otherViews?: ReadonlyMap<string, Views>
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
  /** Other domains than those of the product, in their order; `DOMAINS` and what follows them. */
  readonly domains?: readonly WebDomain<any>[]
}

export interface Rivulet {
  readonly engine: Engine
  readonly graph: Graph
  readonly feed: Feed
  /** The domains that were built, in their order. */
  readonly domains: readonly WebDomain<any>[]
  start(): Promise<void>
  /** Resolves when no work is left: everything written so far is fanned out to the views. */
  settle(): Promise<void>
  /** Stops the engine; the ports stay open. */
  stop(): Promise<void>
}

const OTHER_VIEW_BYTES = 64 * 2 ** 20

/** With what a single process may keep in its own memory. */
export const wholePorts = (ports: RivuletPorts) => ({
  ...ports,
  openView: (spec: ViewSpec) =>
    spec.name === homeView.name
      ? ports.views
      : (ports.otherViews?.get(spec.name) ?? memoryView(ports.views.lanes, spec)),
  bus: ports.bus ?? createMemoryBus({ env: ports.env }),
  ephemeral: ports.ephemeral ?? createMemoryEphemeral({ env: ports.env }),
})

const memoryView = (lanes: number, { capacity, keep }: ViewSpec): Views =>
  createMemoryViews({ bytesMax: OTHER_VIEW_BYTES, capacity, lanes, keep })

export function createRivulet(ports: RivuletPorts, options: RivuletOptions): Rivulet {
  const {
    secret,
    onFatal = () => undefined,
    onNotice,
    shared,
    postCacheBytesMax,
    domains = DOMAINS,
  } = options
  const settings: Readonly<Record<string, number | undefined>> = { postCacheBytesMax }
  const engine = createEngine({ ...wholePorts(ports), onFatal, onNotice, shared }, domains, {
    secret,
    setting: (name) => settings[name],
  })
  const [graph, feed] = [engine.use(graphDomain), engine.use(feedDomain)]
  return { engine, graph, feed, domains, start: engine.start, settle: engine.settle, stop: engine.stop }
}
